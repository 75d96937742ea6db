-- How long until the next message falls due, in seconds. NULL: none waits.
SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM {table}
WHERE due_at IS NOT NULL AND state IN ('waiting', 'claimed')
