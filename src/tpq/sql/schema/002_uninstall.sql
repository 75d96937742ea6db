-- Undo version 2. The column stays, with what is in it: version 1 does not mind it.
DO $do$ BEGIN
    COMMENT ON CONSTRAINT {name_state} ON {table} IS 'tpq 1';
EXCEPTION WHEN undefined_object THEN
    NULL;  -- as in 001_uninstall
END $do$;
