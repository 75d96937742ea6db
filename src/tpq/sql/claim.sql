-- Claim the first ready messages for a consumer whose heart beats. Never more than asked (`= ANY(ARRAY(…))`).
-- RETURNING promises no order. Suspects, whose last run may have ended its process, are left to claim_suspect.
UPDATE {table}
SET state = 'claimed', claim_no = claim_no + 1, claimed_by = %(consumer)s, due_at = NULL
WHERE id = ANY(ARRAY(
    SELECT id FROM {table}
    WHERE state = 'ready' AND deliveries = 0{filters}
    ORDER BY priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING priority, seq, {returning}
