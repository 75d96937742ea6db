-- Delete dead letters, by a person's hand; one that somebody revives right now is his. Returns their ids.
DELETE FROM {table}
WHERE id = ANY(ARRAY(
    SELECT id FROM {table}
    WHERE id = ANY(%(ids)s::bigint[]) AND state = 'dead'
    ORDER BY id FOR UPDATE SKIP LOCKED
))
RETURNING id
