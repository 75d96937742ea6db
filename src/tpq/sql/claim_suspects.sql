-- Claim messages of some lanes whose last run may have ended its process, at least so many deliveries of which were lost.
-- First those that were charged more often, then those that were claimed last: what kills does it soon after its begin.
-- `lane + 0`: only the index of suspects is of use, whatever the statistics say.
UPDATE {table}
SET state = 'claimed', claim_no = claim_no + 1, claimed_by = %(consumer)s, due_at = NULL,
    claimed_at = statement_timestamp()
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table}
    WHERE state = 'ready' AND deliveries > 0 AND deliveries >= %(losses)s AND lane + 0 = ANY(%(lanes)s::int[])
    ORDER BY deliveries DESC, claimed_at DESC NULLS LAST, priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING priority, seq, {returning}
