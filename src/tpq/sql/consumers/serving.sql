-- The queues that living consumers serve.
SELECT DISTINCT queue
FROM {table} CROSS JOIN jsonb_array_elements_text(queues) AS queue
WHERE lost_at IS NULL AND beat_at > clock_timestamp() - %(patience)s::interval
