-- Undo version 2. The columns stay, with what is in them: version 1 does not mind them.
DO $do$ BEGIN
    COMMENT ON CONSTRAINT {name_state} ON {table} IS 'tpq 1';
EXCEPTION WHEN undefined_object THEN
    NULL;  -- as in 001_uninstall
END $do$;
