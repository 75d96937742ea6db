-- Is a transaction, anybody's, still open?
SELECT pg_xact_status(%(number)s::xid8) = 'in progress'
