-- Undo version 3. The column stays, with what is in it: version 2 does not mind it.
DO $do$ BEGIN
    COMMENT ON CONSTRAINT {name_state} ON {table} IS 'tpq 2';
    DROP INDEX {name_ready};
    CREATE INDEX {name_ready} ON {table} (priority DESC, seq) WHERE state = 'ready';
EXCEPTION WHEN undefined_object THEN
    NULL;  -- as in 001_uninstall
END $do$;
