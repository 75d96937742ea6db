-- Look at the messages that could be taken now, in the order they would be taken. Locks nothing.
WITH ready AS MATERIALIZED (
    SELECT id, priority, seq, enqueued_at FROM {table}
    WHERE lane = 0 AND state = 'ready'{filters}
    ORDER BY priority DESC, seq LIMIT %(count)s
), due AS MATERIALIZED (
    SELECT id, priority, seq, due_at FROM {table}
    WHERE due_at <= (SELECT clock_timestamp())
      AND (state = 'waiting' OR state = 'claimed' AND deliveries + 1 < max_deliveries){filters}
    ORDER BY due_at LIMIT %(count)s
), first AS MATERIALIZED (
    SELECT id, row_number() OVER (ORDER BY priority DESC, moment, seq) AS place FROM (
        SELECT id, priority, seq, max(enqueued_at) OVER (PARTITION BY priority ORDER BY seq) AS moment FROM ready
        UNION ALL
        SELECT id, priority, seq, due_at FROM due
    ) AS candidates
    ORDER BY priority DESC, moment, seq LIMIT %(count)s
)
SELECT {returning} FROM {table} AS seen
WHERE id = ANY(ARRAY(SELECT id FROM first))
ORDER BY (SELECT place FROM first WHERE first.id = seen.id)
