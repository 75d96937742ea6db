-- Take consumers for dead whose heart has not beaten in time. Each is returned to one caller only.
UPDATE {table}
SET lost_at = clock_timestamp(), running = '{{}}'
WHERE id = ANY(ARRAY(
    SELECT id FROM {table}
    WHERE lost_at IS NULL AND (beat_at < clock_timestamp() - %(patience)s::interval OR id = ANY(%(ids)s::bigint[]))
    FOR UPDATE SKIP LOCKED
))
RETURNING id, queues
