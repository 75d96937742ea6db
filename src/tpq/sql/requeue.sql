-- Revive dead letters, by a person's hand: all counts start anew, behind what is there, or after a delay. Returns their
-- ids.
-- What its headers said of its last life alone is dropped: that it was cancelled, until when it was to begin.
-- One whose unique_key a living message holds stays dead; of several with one key the oldest is revived.
WITH first AS MATERIALIZED (
    SELECT id FROM (
        SELECT id, unique_key, row_number() OVER (PARTITION BY unique_key ORDER BY id) AS place FROM {table}
        WHERE id = ANY(%(ids)s::bigint[]) AND state = 'dead'
    ) AS dead
    WHERE unique_key IS NULL OR place = 1
)
UPDATE {table} AS message
SET state = CASE WHEN %(delay)s::interval > interval '0' THEN 'waiting' ELSE 'ready' END, attempt = 0, deliveries = 0,
    due_at = CASE WHEN %(delay)s::interval > interval '0' THEN clock_timestamp() + %(delay)s::interval END,
    headers = CASE WHEN jsonb_typeof(headers) = 'object' THEN headers - 'cancelled' - 'expires_at' ELSE headers END,
    seq = nextval((SELECT pg_get_serial_sequence({table_name}, 'seq')::regclass))
WHERE id = ANY(ARRAY(SELECT id FROM first)) AND state = 'dead'
  AND NOT EXISTS (
    SELECT FROM {table} AS living
    WHERE living.unique_key = message.unique_key AND living.unique_key IS NOT NULL AND living.state <> 'dead'
  )
RETURNING id
