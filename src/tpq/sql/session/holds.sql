-- Does something belong to this session that ends with it: an open cursor, an advisory lock, a temporary table?
SELECT EXISTS (SELECT FROM pg_cursors WHERE is_holdable)
    OR EXISTS (SELECT FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory')
    OR pg_my_temp_schema() <> 0
