-- Give back claimed messages of one claim number that never ran: no count moves, and they keep their place in the line.
-- Returns the ids whose receipt held.
UPDATE {table}
SET state = 'ready', due_at = NULL, claimed_by = NULL
WHERE id = ANY(%(ids)s::bigint[]) AND claim_no = %(claim_no)s AND state = 'claimed'
RETURNING id
