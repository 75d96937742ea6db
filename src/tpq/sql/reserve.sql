-- Draw ids ahead of a COPY, which can not report them, and the moment the messages fall due. The ids come as one text;
-- the sequence is looked up once, not once an id.
SELECT string_agg(nextval((SELECT pg_get_serial_sequence({table_name}, 'id')::regclass))::text, ','),
       clock_timestamp() + %(delay)s::interval
FROM generate_series(1, %(count)s)
