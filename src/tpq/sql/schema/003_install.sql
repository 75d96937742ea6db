-- Version 3: lanes. What runs in threads, in an event loop and in processes of its own is claimed apart, so that none
-- stands in the way of another. The column may be there: a new table is made with it.
ALTER TABLE {table} ADD COLUMN IF NOT EXISTS lane smallint NOT NULL DEFAULT 0;
DROP INDEX {name_ready};
CREATE INDEX {name_ready} ON {table} (lane, priority DESC, seq) WHERE state = 'ready';
COMMENT ON CONSTRAINT {name_state} ON {table} IS 'tpq 3';
