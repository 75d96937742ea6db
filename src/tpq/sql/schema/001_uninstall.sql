-- Undo version 1. The rows stay; only what 001_install added goes, if it is there: a deleted table that came back
-- without its objects (of a queue that plain makemigrations deleted) is no reason to fail.
DROP TRIGGER IF EXISTS {name_bell} ON {table};
ALTER TABLE {table} RESET (autovacuum_vacuum_scale_factor, autovacuum_vacuum_cost_delay);
DROP SEQUENCE IF EXISTS {name_bell_until};
DROP INDEX IF EXISTS {name_ready}, {name_suspect}, {name_due}, {name_unique};
ALTER TABLE {table} DROP CONSTRAINT IF EXISTS {name_state};
ALTER TABLE {table} ALTER COLUMN seq DROP IDENTITY IF EXISTS;
ALTER TABLE {table} ALTER COLUMN seq SET DEFAULT 0;
DO $$ BEGIN
    DROP FUNCTION IF EXISTS tpq_ring();
EXCEPTION WHEN dependent_objects_still_exist OR insufficient_privilege THEN
    NULL;  -- other queues still ring, or it is another role's
END $$;
