-- Which of these messages that run are marked as cancelled.
SELECT id FROM {table} WHERE id = ANY(%(ids)s::bigint[]) AND state = 'claimed' AND headers @> '{{"cancelled": true}}'
