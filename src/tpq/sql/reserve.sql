-- Draw ids ahead of a COPY, which can not report them, and the moment the messages fall due. The ids come as one text.
SELECT string_agg(nextval(pg_get_serial_sequence({table_name}, 'id'))::text, ','),
       clock_timestamp() + %(delay)s::interval
FROM generate_series(1, %(count)s)
