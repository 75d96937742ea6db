-- The number of this transaction; it gets one.
SELECT pg_current_xact_id()::text
