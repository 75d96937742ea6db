-- The enabled schedules that are due next, how long until then, in seconds, and of those that are due a mark that
-- changes with what people say of them: who is to be planned comes first. Locks nothing; `but`: those that are of no
-- interest as long as they bear these `marks`; `ahead`: of the server's clock, in tests that move theirs.
SELECT id, extract(epoch FROM coalesce(next_at, timestamptz 'epoch') - clock_timestamp() - %(ahead)s::interval)::float8,
       said.mark
FROM {table} CROSS JOIN LATERAL (
    SELECT array_position(%(but)s::bigint[], id) AS place
) AS known CROSS JOIN LATERAL (
    SELECT CASE
        WHEN place IS NOT NULL OR coalesce(next_at <= clock_timestamp() + %(ahead)s::interval, true)
        THEN hashtextextended(
            (task, cron, every, start_at, timezone, args, kwargs, misfire, grace, overlap, jitter, queue, priority)::text,
            0
        )
    END AS mark
) AS said
WHERE enabled AND coalesce(next_at, timestamptz 'epoch') < 'infinity'
    AND (place IS NULL OR (%(marks)s::bigint[])[place] <> said.mark)
ORDER BY coalesce(next_at, timestamptz 'epoch') LIMIT %(count)s
