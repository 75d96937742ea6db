-- Forget some keys whose period is over.
DELETE FROM {table}
WHERE key = ANY(ARRAY(
    SELECT key FROM {table} WHERE until < clock_timestamp() ORDER BY until LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING key
