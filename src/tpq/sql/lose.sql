-- Count a lost delivery of claimed messages: their process died under them, and it was none that took others along.
-- They keep their place in the line; who used up the deliveries ends dead. Returns the receipts that held, and the state.
UPDATE {table} AS message
SET state = CASE WHEN deliveries + 1 >= max_deliveries THEN 'dead' ELSE 'ready' END,
    due_at = CASE WHEN deliveries + 1 >= max_deliveries THEN clock_timestamp() + %(keep)s::interval END,
    deliveries = deliveries + 1, error = receipt.error, errors = {failed}, claimed_by = NULL
FROM unnest(%(ids)s::bigint[], %(claim_nos)s::int[], %(errors)s::text[], %(types)s::text[])
    AS receipt (id, claim_no, error, type)
WHERE message.id = receipt.id AND message.claim_no = receipt.claim_no AND message.state = 'claimed'
RETURNING message.id, message.state
