-- The enabled schedules that are due next, and how long until then, in seconds: who is to be planned comes first. Locks
-- nothing; `but`: those that are of no interest; `ahead`: of the server's clock, in tests that move theirs.
SELECT id, extract(epoch FROM coalesce(next_at, timestamptz 'epoch') - clock_timestamp() - %(ahead)s::interval)::float8
FROM {table}
WHERE enabled AND id <> ALL(%(but)s::bigint[])
ORDER BY coalesce(next_at, timestamptz 'epoch') LIMIT %(count)s
