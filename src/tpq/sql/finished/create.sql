-- Calls that have ended well and are kept for a time: a partition a day, which goes as a whole when its time is over.
CREATE TABLE {table} (
    token varchar(22) COLLATE "C" NOT NULL,
    number bigint NOT NULL,
    queue varchar(24) NOT NULL,
    task varchar(255) NOT NULL,
    priority smallint NOT NULL,
    headers jsonb,
    payload bytea NOT NULL,
    record bytea NOT NULL,
    errors jsonb,
    consumer bigint NOT NULL,
    enqueued_at timestamptz NOT NULL,
    claimed_at timestamptz,
    finished_at timestamptz NOT NULL
) PARTITION BY RANGE (finished_at);
CREATE INDEX ON {table} (token);
-- For what is kept while nobody has made a partition for the day.
CREATE TABLE {table_default} PARTITION OF {table} DEFAULT;

-- Make the partitions of today and the next two days, and drop those whose time is over. As the owner of the tables, so
-- that an executor's role needs no right to make any. Returns how many partitions have come or gone.
CREATE FUNCTION {function}(keep interval) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $do$
DECLARE
    today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    changes integer := 0;
    day date;
    partition text;
BEGIN
    IF NOT pg_try_advisory_xact_lock(hashtext({table_name}), 1) THEN
        RETURN 0;  -- somebody else is at it
    END IF;
    SET LOCAL lock_timeout = '2s';
    FOR day IN SELECT today + n FROM generate_series(0, 2) AS n LOOP
        partition := {plain} || to_char(day, '_YYYYMMDD');
        IF to_regclass(quote_ident(partition)) IS NULL THEN
            BEGIN
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', partition, {plain},
                               day::timestamp AT TIME ZONE 'UTC', (day + 1)::timestamp AT TIME ZONE 'UTC');
                changes := changes + 1;
            EXCEPTION WHEN check_violation THEN
                NULL;  -- the default partition has rows of that day: they stay there
            END;
        END IF;
    END LOOP;
    FOR partition, day IN
        SELECT child.relname, to_date(right(child.relname, 8), 'YYYYMMDD') FROM pg_inherits
        JOIN pg_class AS child ON child.oid = inhrelid
        WHERE inhparent = {table_name}::regclass AND child.relname ~ '_[0-9]+$'
    LOOP
        IF (day + 1)::timestamp AT TIME ZONE 'UTC' <= clock_timestamp() - keep THEN
            EXECUTE format('DROP TABLE %I', partition);
            changes := changes + 1;
        END IF;
    END LOOP;
    DELETE FROM {table_default} WHERE finished_at <= clock_timestamp() - keep;
    RETURN changes;
END $do$;
REVOKE ALL ON FUNCTION {function}(interval) FROM PUBLIC;
