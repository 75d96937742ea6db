-- The lanes beside the first in which something is ready: one look into the index for each.
SELECT lane FROM unnest(%(lanes)s::smallint[]) AS asked (lane)
WHERE EXISTS (SELECT FROM {table} AS message WHERE message.lane = asked.lane AND state = 'ready')
