-- Draw ids ahead of a COPY, which can not report them, and the moment the messages fall due.
SELECT nextval(pg_get_serial_sequence({table_name}, 'id')), clock_timestamp() + %(delay)s::interval
FROM generate_series(1, %(count)s)
