-- Give back what a consumer holds beside these: claims that were committed but whose answer never arrived. They
-- never ran: no count moves, and they keep their place in the line. Returns what moved.
UPDATE {table}
SET state = 'ready', due_at = NULL, claimed_by = NULL
WHERE state = 'claimed' AND due_at IS NULL AND claimed_by = %(consumer)s AND id <> ALL(%(ids)s::bigint[])
RETURNING id
