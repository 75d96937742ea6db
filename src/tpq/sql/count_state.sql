-- How many messages are in one state.
SELECT count(*) FROM {table} WHERE state = %(state)s{filters}
