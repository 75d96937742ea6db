-- What Django does not say of its table of results: tokens are random bytes, compared as such whatever the database's
-- language is, and looked up whole, so that an index for LIKE is only work. They come and go: vacuum early.
ALTER TABLE {table} ALTER COLUMN token TYPE varchar(22) COLLATE "C";
DO $$ DECLARE index regclass; BEGIN
    FOR index IN
        SELECT indexrelid FROM pg_index JOIN pg_opclass ON pg_opclass.oid = indclass[0]
        WHERE indrelid = {table_name}::regclass AND opcname = 'varchar_pattern_ops'
    LOOP
        EXECUTE 'DROP INDEX ' || index;
    END LOOP;
END $$;
ALTER TABLE {table} SET (autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_cost_delay = 0)
