-- Keep results until they expire. A later one of the same call (a revived dead letter) takes the place.
INSERT INTO {table} (token, record, expires_at)
SELECT given.token, given.record, clock_timestamp() + given.ttl
FROM unnest(%(tokens)s::text[], %(records)s::bytea[], %(ttls)s::interval[]) AS given (token, record, ttl)
ON CONFLICT (token) DO UPDATE SET record = excluded.record, expires_at = excluded.expires_at
