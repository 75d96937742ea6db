-- Finish claimed calls of one claim number that are kept: their rows move, with their results. Returns the ids whose
-- receipt held; a late one changes nothing.
WITH gone AS (
    DELETE FROM {table}
    WHERE id = ANY(%(ids)s::bigint[]) AND claim_no = %(claim_no)s AND state = 'claimed'
    RETURNING id, token, task, priority, headers, payload, errors, claimed_by, enqueued_at, claimed_at
)
INSERT INTO tpq_finished (token, number, queue, task, priority, headers, payload, record, errors, consumer, enqueued_at,
                          claimed_at, finished_at)
SELECT gone.token, gone.id, %(queue)s, gone.task, gone.priority, gone.headers, gone.payload, given.record, gone.errors,
       gone.claimed_by, gone.enqueued_at, gone.claimed_at, clock_timestamp()
FROM gone JOIN unnest(%(ids)s::bigint[], %(records)s::bytea[]) AS given (id, record) ON given.id = gone.id
RETURNING number
