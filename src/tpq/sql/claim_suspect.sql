-- Claim one message whose last run may have ended its process. It is run alone, so that a crash names it.
UPDATE {table}
SET state = 'claimed', claim_no = claim_no + 1, claimed_by = %(consumer)s, due_at = NULL,
    claimed_at = statement_timestamp()
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table}
    WHERE state = 'ready' AND deliveries > 0 AND lane < 2
    ORDER BY priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING priority, seq, {returning}
