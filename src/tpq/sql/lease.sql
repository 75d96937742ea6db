-- Claim the first ready messages on a lease of their own, which ends at due_at.
UPDATE {table}
SET state = 'claimed', claim_no = claim_no + 1, claimed_by = 0,
    due_at = clock_timestamp() + %(lease)s::interval, claimed_at = statement_timestamp()
WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table}
    WHERE lane = %(lane)s AND state = 'ready'{filters}
    ORDER BY priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
))
RETURNING priority, seq, {returning}
