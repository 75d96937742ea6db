-- Delete dead letters whose time to be kept is over, a bounded number at once. Returns their ids.
DELETE FROM {table}
WHERE id = ANY(ARRAY(
    SELECT id FROM {table}
    WHERE due_at <= (SELECT clock_timestamp()) AND state = 'dead'
    ORDER BY due_at LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING id
