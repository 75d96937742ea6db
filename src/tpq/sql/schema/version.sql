-- The version that is installed on a table. No row: none (or no such table).
SELECT substring(obj_description(oid, 'pg_constraint') FROM '^tpq (\d+)$')::int
FROM pg_constraint
WHERE conrelid = to_regclass({table_name}) AND contype = 'c' AND obj_description(oid, 'pg_constraint') ~ '^tpq \d+$'
