-- Let a queue's messages be so much older: what waits, each lease and each dead letter comes due so much sooner.
UPDATE {table} SET due_at = due_at - %(by)s::interval, enqueued_at = enqueued_at - %(by)s::interval
