-- Keep results for the same time. A later one of the same call (a revived dead letter) takes the place.
INSERT INTO {table} (token, record, expires_at)
SELECT given.token, given.record, clock_timestamp() + %(ttl)s::interval
FROM unnest(%(tokens)s::text[], %(records)s::bytea[]) AS given (token, record)
ON CONFLICT (token) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at
