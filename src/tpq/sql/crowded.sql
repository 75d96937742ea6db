-- Does a commit wait for another's NOTIFY now? PostgreSQL lets only one at a time through, until its WAL is on disk.
SELECT EXISTS (
    SELECT FROM pg_locks
    WHERE locktype = 'object' AND classid = 'pg_database'::regclass AND objid = 0 AND NOT granted
)
