-- Which of these consumers have a row, alive or lost.
SELECT id FROM {table} WHERE id = ANY(%(ids)s::bigint[])
