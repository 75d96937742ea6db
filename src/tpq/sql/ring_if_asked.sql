-- Wake whoever has asked for it: for those who committed long after they had added their messages.
SELECT pg_notify('tpq_' || {table_name}::regclass::oid, '')
WHERE coalesce(pg_sequence_last_value(pg_get_serial_sequence({table_name}, 'state')::regclass)
               > date_part('epoch', clock_timestamp()) * 1000, true)
