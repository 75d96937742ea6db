-- Undo install. The trigger goes with its function.
DROP FUNCTION IF EXISTS {function}() CASCADE;
DROP INDEX IF EXISTS {name_due}
