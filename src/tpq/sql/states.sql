-- What became of some messages: state, error, and whether they ended dead by lost deliveries, and one column more.
-- No row: gone.
SELECT id, state, error, deliveries >= max_deliveries, {returning} FROM {table} WHERE id = ANY(%(ids)s::bigint[])
