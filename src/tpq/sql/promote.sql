-- Bring due messages back: waiting ones, and claimed ones whose own lease ended (a lost delivery, the last of
-- which ends dead). Returns what moved. Numbers are drawn in the order of due_at: first due, first in line.
WITH due AS MATERIALIZED (
    SELECT id, due_at, seq FROM {table}
    WHERE due_at <= (SELECT clock_timestamp())
      AND due_at > (SELECT coalesce(clock_timestamp() - %(window)s::interval, '-infinity'))
      AND state IN ('waiting', 'claimed'){filters}
    ORDER BY due_at LIMIT %(count)s FOR UPDATE SKIP LOCKED
), numbered AS MATERIALIZED (
    SELECT id, nextval((SELECT pg_get_serial_sequence({table_name}, 'seq')::regclass)) AS seq
    FROM (SELECT id FROM due ORDER BY due_at, seq) AS in_order
)
UPDATE {table} AS message
SET state = CASE WHEN state = 'claimed' AND deliveries + 1 >= max_deliveries THEN 'dead' ELSE 'ready' END,
    error = CASE WHEN state = 'claimed' THEN 'the lease ended without an answer' ELSE error END,
    errors = CASE WHEN state = 'claimed' THEN {failed} ELSE errors END,
    deliveries = deliveries + (state = 'claimed')::int,
    claimed_by = NULL, due_at = NULL, seq = numbered.seq
FROM numbered
WHERE message.id = numbered.id AND message.id = ANY(ARRAY(SELECT id FROM due))
RETURNING message.id, message.state
