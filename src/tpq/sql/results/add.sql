-- Keep results for the same time, of calls that have none yet. Not to look for others first takes a quarter less.
INSERT INTO {table} (token, record, expires_at)
SELECT given.token, given.record, clock_timestamp() + %(ttl)s::interval
FROM unnest(%(tokens)s::text[], %(records)s::bytea[]) AS given (token, record)
