-- Give back claimed messages that never ran: no count moves, and they keep their place in the line.
-- Returns the receipts that held.
UPDATE {table} AS message
SET state = 'ready', due_at = NULL, claimed_by = NULL
FROM unnest(%(ids)s::bigint[], %(claim_nos)s::int[]) AS receipt (id, claim_no)
WHERE message.id = receipt.id AND message.claim_no = receipt.claim_no AND message.state = 'claimed'
RETURNING message.id
