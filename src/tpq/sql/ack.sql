-- Finish claimed messages of one claim number. Returns the ids whose receipt held; a late one changes nothing.
-- No join with the receipts: told that next to nothing is claimed, the planner compares each of them with each row.
DELETE FROM {table}
WHERE id = ANY(%(ids)s::bigint[]) AND claim_no = %(claim_no)s AND state = 'claimed'
RETURNING id
