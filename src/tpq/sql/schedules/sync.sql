-- Make the row of a schedule that stands in code as the code says; no row back: it was so. Whether it is enabled is
-- left to people.
INSERT INTO {table} AS kept (
    source, name, task, cron, every, start_at, timezone, args, kwargs, misfire, grace, overlap, jitter,
    queue, enabled, last_call, error
)
VALUES (
    'code', %(name)s, %(name)s, %(cron)s, %(every)s::interval, %(start_at)s::timestamptz, %(timezone)s, %(args)s::jsonb,
    %(kwargs)s::jsonb, %(misfire)s, %(grace)s::interval, %(overlap)s, %(jitter)s::interval, '', true, '', ''
)
ON CONFLICT (source, name) DO UPDATE SET
    task = excluded.task, cron = excluded.cron, every = excluded.every, start_at = excluded.start_at,
    timezone = excluded.timezone, args = excluded.args, kwargs = excluded.kwargs, misfire = excluded.misfire,
    grace = excluded.grace, overlap = excluded.overlap, jitter = excluded.jitter, error = ''
WHERE (kept.task, kept.cron, kept.every, kept.start_at, kept.timezone, kept.args, kept.kwargs, kept.misfire, kept.grace,
       kept.overlap, kept.jitter, kept.error)
    IS DISTINCT FROM (excluded.task, excluded.cron, excluded.every, excluded.start_at, excluded.timezone, excluded.args,
                      excluded.kwargs, excluded.misfire, excluded.grace, excluded.overlap, excluded.jitter, '')
RETURNING id
