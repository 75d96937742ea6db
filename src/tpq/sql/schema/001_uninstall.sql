-- Undo version 1. The rows stay; only what 001_install added goes.
DROP TRIGGER {name_bell} ON {table};
DROP INDEX {name_ready}, {name_suspect}, {name_due}, {name_unique};
ALTER TABLE {table} DROP CONSTRAINT {name_state}, DROP CONSTRAINT {name_counts};
ALTER TABLE {table} ALTER COLUMN seq DROP IDENTITY;
ALTER TABLE {table} ALTER COLUMN seq SET DEFAULT 0;
DO $$ BEGIN
    DROP FUNCTION tpq_ring();
EXCEPTION WHEN dependent_objects_still_exist THEN
    NULL;  -- other queues still ring
END $$;
