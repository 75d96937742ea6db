-- Version 2: every failed run of a message is kept on it, and when it was claimed. The columns may be there: a new table
-- is made with them.
ALTER TABLE {table} ADD COLUMN IF NOT EXISTS errors jsonb, ADD COLUMN IF NOT EXISTS claimed_at timestamptz;
COMMENT ON CONSTRAINT {name_state} ON {table} IS 'tpq 2';
