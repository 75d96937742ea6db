-- Add many messages that share all but their bodies. The ids grow in the order of the bodies.
INSERT INTO {table} (body, state, priority, due_at)
SELECT given.body::jsonb, %(state)s, %(priority)s, clock_timestamp() + %(delay)s::interval
FROM unnest(%(bodies)s::text[]) WITH ORDINALITY AS given (body, place)
ORDER BY given.place
RETURNING id
