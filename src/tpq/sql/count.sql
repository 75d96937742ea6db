-- How many messages could be taken now.
SELECT count(*) FROM {table}
WHERE (state = 'ready'
       OR due_at <= (SELECT clock_timestamp())
          AND (state = 'waiting' OR state = 'claimed' AND deliveries + 1 < max_deliveries)){filters}
