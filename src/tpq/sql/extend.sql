-- Make the lease of claimed messages last from now on. Returns the receipts that held.
UPDATE {table} AS message
SET due_at = clock_timestamp() + %(lease)s::interval
FROM unnest(%(ids)s::bigint[], %(claim_nos)s::int[]) AS receipt (id, claim_no)
WHERE message.id = receipt.id AND message.claim_no = receipt.claim_no AND message.state = 'claimed'
RETURNING message.id
