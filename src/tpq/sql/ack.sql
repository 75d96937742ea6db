-- Finish claimed messages. Returns the receipts that held; a late one changes nothing.
DELETE FROM {table} AS message
USING unnest(%(ids)s::bigint[], %(claim_nos)s::int[]) AS receipt (id, claim_no)
WHERE message.id = receipt.id AND message.claim_no = receipt.claim_no AND message.state = 'claimed'
RETURNING message.id
