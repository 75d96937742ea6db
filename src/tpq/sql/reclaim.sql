-- Take back what dead consumers held. It keeps its place in the line. Where it is known which runs had begun, only
-- those count as deliveries; else each may have. A message that used up its deliveries ends dead.
-- Returns what moved: the id, the new state, and the columns asked for.
UPDATE {table}
SET state = CASE WHEN (%(begun)s::bigint[] IS NULL OR id = ANY(%(begun)s::bigint[]))
                      AND deliveries + 1 >= max_deliveries THEN 'dead' ELSE 'ready' END,
    deliveries = deliveries + (%(begun)s::bigint[] IS NULL OR id = ANY(%(begun)s::bigint[]))::int,
    error = CASE WHEN %(begun)s::bigint[] IS NULL OR id = ANY(%(begun)s::bigint[])
                 THEN 'the executor was lost while it ran' ELSE error END,
    errors = CASE WHEN %(begun)s::bigint[] IS NULL OR id = ANY(%(begun)s::bigint[]) THEN {failed} ELSE errors END,
    claimed_by = NULL, due_at = NULL
WHERE id = ANY(ARRAY(
    SELECT id FROM {table}
    WHERE state = 'claimed' AND due_at IS NULL AND claimed_by = ANY(%(consumers)s::bigint[])
    ORDER BY id FOR UPDATE SKIP LOCKED
))
RETURNING id, state, {returning}
