-- The consumers that were taken for dead, for a second look at what a late claim may have left.
SELECT id, queues FROM {table} WHERE lost_at IS NOT NULL
