-- Is there a ready message in these lanes whose last run may have ended its process? One look into an index that is empty
-- as a rule; `lane + 0`: into no other index, whatever the statistics say.
SELECT EXISTS (SELECT FROM {table} WHERE state = 'ready' AND deliveries > 0 AND lane + 0 = ANY(%(lanes)s::int[]))
