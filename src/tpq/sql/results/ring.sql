-- Wake those who wait for results.
SELECT pg_notify('tpq_results', %(prefixes)s)
