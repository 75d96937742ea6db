-- How long until the next message falls due, in seconds. NULL: none waits. `window`: how far back to look.
SELECT extract(epoch FROM min(due_at) - clock_timestamp())::float8 FROM {table}
WHERE due_at > (SELECT coalesce(clock_timestamp() - %(window)s::interval, '-infinity'))
  AND state IN ('waiting', 'claimed')
