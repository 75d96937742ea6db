-- Hold a key for a period, unless a call holds it whose period is not over (`force`: all the same). No row back: it does.
-- `ahead`: of the server's clock, in tests that move theirs.
INSERT INTO {table} AS held (key, queue, number, token, until)
VALUES (%(key)s, %(queue)s, %(number)s, %(token)s,
        clock_timestamp() + %(ahead)s::interval + %(period)s::interval)
ON CONFLICT (key) DO UPDATE
SET queue = excluded.queue, number = excluded.number, token = excluded.token, until = excluded.until
WHERE %(force)s OR held.until <= clock_timestamp() + %(ahead)s::interval
RETURNING token
