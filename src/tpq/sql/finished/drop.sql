-- Undo create: the table goes with all of its partitions.
DROP FUNCTION IF EXISTS {function}(interval);
DROP TABLE IF EXISTS {table};
