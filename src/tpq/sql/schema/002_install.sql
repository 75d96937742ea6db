-- Version 2: every failed run of a message is kept on it. The column may be there: a new table is made with it.
ALTER TABLE {table} ADD COLUMN IF NOT EXISTS errors jsonb;
COMMENT ON CONSTRAINT {name_state} ON {table} IS 'tpq 2';
