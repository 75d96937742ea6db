-- Wake whoever waits for this queue, with a word why.
SELECT pg_notify('tpq_' || %(table)s::regclass::oid, %(why)s)
