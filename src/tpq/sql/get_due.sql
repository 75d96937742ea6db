-- As get, where some messages are due: take and delete the first ones of both kinds.
-- It promotes nothing (that would lock other messages until the caller commits): the best ready rows and the
-- oldest due ones are looked at side by side. A due row stands among the ready ones by the moment it fell due.
-- `moment` is a running maximum, so ready rows stay strictly in the order of (priority DESC, seq).
WITH ready AS MATERIALIZED (
    SELECT id, priority, seq, enqueued_at FROM {table}
    WHERE lane = 0 AND state = 'ready'{filters}
    ORDER BY priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
), due AS MATERIALIZED (
    SELECT id, priority, seq, due_at FROM {table}
    WHERE due_at <= (SELECT clock_timestamp())
      AND (state = 'waiting' OR state = 'claimed' AND deliveries + 1 < max_deliveries){filters}
    ORDER BY due_at LIMIT %(count)s FOR UPDATE SKIP LOCKED
), first AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY priority DESC, moment, seq) AS place FROM (
        SELECT id, priority, seq, max(enqueued_at) OVER (PARTITION BY priority ORDER BY seq) AS moment FROM ready
        UNION ALL
        SELECT id, priority, seq, due_at FROM due
    ) AS candidates
    ORDER BY priority DESC, moment, seq LIMIT %(count)s
), taken AS (
    DELETE FROM {table} WHERE id = ANY(ARRAY(SELECT id FROM first)) RETURNING *
)
SELECT {returning} FROM taken ORDER BY (SELECT place FROM first WHERE first.id = taken.id)
