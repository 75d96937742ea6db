-- Lock a schedule, if it is still due and nobody else is at it: whoever holds the lock enqueues the calls of its slots,
-- and moves it on, in one transaction. So each slot has one call, whoever looks, and whoever dies.
SELECT {returning}, clock_timestamp() + %(ahead)s::interval FROM {table}
WHERE id = %(id)s AND enabled AND coalesce(next_at <= clock_timestamp() + %(ahead)s::interval, true)
FOR NO KEY UPDATE SKIP LOCKED
