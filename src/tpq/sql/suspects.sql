-- Is there a ready message whose last run may have ended its process? One look into an index that is empty as a rule.
SELECT EXISTS (SELECT FROM {table} WHERE state = 'ready' AND deliveries > 0 AND lane < 2)
