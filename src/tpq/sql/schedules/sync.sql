-- Make the row of a schedule that stands in code as the code says; no row back: it was so, and nothing is locked then.
-- Whether it is enabled is left to people.
WITH given AS (
    SELECT %(name)s::text AS name, %(cron)s::text AS cron, %(every)s::interval AS every,
           %(start_at)s::timestamptz AS start_at, %(timezone)s::text AS timezone, %(args)s::jsonb AS args,
           %(kwargs)s::jsonb AS kwargs, %(misfire)s::text AS misfire, %(grace)s::interval AS grace,
           %(overlap)s::text AS overlap, %(jitter)s::interval AS jitter
)
INSERT INTO {table} (
    source, name, task, cron, every, start_at, timezone, args, kwargs, misfire, grace, overlap, jitter,
    queue, enabled, last_call, error
)
SELECT 'code', name, name, cron, every, start_at, timezone, args, kwargs, misfire, grace, overlap, jitter,
       '', true, '', ''
FROM given
WHERE NOT EXISTS (
    SELECT FROM {table} AS kept
    WHERE kept.source = 'code' AND kept.name = given.name
        AND (kept.task, kept.cron, kept.every, kept.start_at, kept.timezone, kept.args, kept.kwargs, kept.misfire,
             kept.grace, kept.overlap, kept.jitter, kept.error)
        IS NOT DISTINCT FROM (given.name, given.cron, given.every, given.start_at, given.timezone, given.args,
                              given.kwargs, given.misfire, given.grace, given.overlap, given.jitter, '')
)
ON CONFLICT (source, name) DO UPDATE SET
    task = excluded.task, cron = excluded.cron, every = excluded.every, start_at = excluded.start_at,
    timezone = excluded.timezone, args = excluded.args, kwargs = excluded.kwargs, misfire = excluded.misfire,
    grace = excluded.grace, overlap = excluded.overlap, jitter = excluded.jitter, error = ''
RETURNING id
