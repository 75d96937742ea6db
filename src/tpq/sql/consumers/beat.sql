-- One beat for all consumers of an executor, with what each runs now. No row back: that one was taken for dead.
UPDATE {table} AS consumer
SET beat_at = clock_timestamp(), running = beat.running, state = beat.state
FROM unnest(%(ids)s::bigint[], %(runnings)s::jsonb[], %(states)s::text[]) AS beat (id, running, state)
WHERE consumer.id = beat.id AND consumer.lost_at IS NULL
RETURNING consumer.id
