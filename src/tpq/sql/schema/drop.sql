-- Drop a queue with everything in it.
DROP TABLE {table}
