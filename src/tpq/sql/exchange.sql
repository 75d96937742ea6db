-- Finish claimed messages of one claim number and claim the next, in one trip and one commit.
-- `kept` is NULL where every receipt held; else the ids of those that did. Without anything to claim there is one row,
-- and nothing but that in it.
WITH tpq_settled AS (
{ack}
), tpq_claimed AS (
{claim}
)
SELECT tpq_claimed.*, (
    SELECT CASE WHEN count(*) < cardinality(%(ids)s::bigint[]) THEN coalesce(array_agg(id), '{{}}')::text END
    FROM tpq_settled
) AS kept
FROM (VALUES (1)) AS one LEFT JOIN tpq_claimed ON true
