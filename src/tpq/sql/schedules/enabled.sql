-- All schedules that are enabled. Reads the whole table, once a process.
SELECT {returning}, clock_timestamp() + %(ahead)s::interval FROM {table} WHERE enabled ORDER BY id
