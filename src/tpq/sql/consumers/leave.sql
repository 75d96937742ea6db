-- Forget consumers that left in order, and those that died more than a day ago.
DELETE FROM {table}
WHERE id = ANY(%(ids)s::bigint[]) OR lost_at < clock_timestamp() - interval '1 day'
