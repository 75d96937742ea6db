-- Delete the messages nobody has taken yet; those that somebody is taking right now are his. Returns their number.
WITH free AS MATERIALIZED (
    SELECT id FROM {table} WHERE state IN ('ready', 'waiting'){filters} FOR UPDATE SKIP LOCKED
), gone AS (
    DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM free)) RETURNING id
)
SELECT count(*) FROM gone
