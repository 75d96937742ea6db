-- Make the leases of claimed messages of one claim number last from now on. Returns the ids whose receipt held.
UPDATE {table}
SET due_at = clock_timestamp() + %(lease)s::interval
WHERE id = ANY(%(ids)s::bigint[]) AND claim_no = %(claim_no)s AND state = 'claimed'
RETURNING id
