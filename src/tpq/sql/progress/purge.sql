-- Forget some of what nobody has said anything of for a while.
DELETE FROM {table}
WHERE token = ANY(ARRAY(
    SELECT token FROM {table} WHERE at < clock_timestamp() - %(keep)s::interval
    ORDER BY at LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING token
