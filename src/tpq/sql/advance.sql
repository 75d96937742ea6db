-- Let new messages fall in behind a place in the line that was set from outside.
SELECT setval(seq, greatest(%(place)s, nextval(seq))) FROM pg_get_serial_sequence({table_name}, 'seq') AS seq
