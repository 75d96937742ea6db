-- Let one transaction at a time create queues: they share a function, and a name can be wanted by two.
SELECT pg_advisory_xact_lock(hashtext('tpq create'))
