-- Claim one message whose last run may have ended its process. It is run alone, so that a crash names it:
-- first those that were charged more than once, while none of the others runs that may be slow poison.
UPDATE {table}
SET state = 'claimed', claim_no = claim_no + 1, claimed_by = %(consumer)s, due_at = NULL,
    claimed_at = statement_timestamp()
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table}
    WHERE state = 'ready' AND deliveries > 0 AND lane < 2
    ORDER BY deliveries DESC, priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING priority, seq, {returning}
