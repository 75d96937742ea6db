-- Give claimed messages back for later, behind what is there: at once without a delay, else when it is over.
-- The run ended by itself, so the count of lost deliveries starts anew. Returns the receipts that held.
UPDATE {table} AS message
SET state = CASE WHEN receipt.delay > interval '0' THEN 'waiting' ELSE 'ready' END,
    due_at = CASE WHEN receipt.delay > interval '0' THEN clock_timestamp() + receipt.delay END,
    attempt = attempt + %(counts)s, deliveries = 0, error = coalesce(receipt.error, message.error),
    errors = CASE WHEN %(counts)s > 0 AND receipt.error IS NOT NULL THEN {failed} ELSE errors END,
    claimed_by = NULL, seq = nextval((SELECT pg_get_serial_sequence({table_name}, 'seq')::regclass))
FROM unnest(%(ids)s::bigint[], %(claim_nos)s::int[], %(delays)s::interval[], %(errors)s::text[],
            %(types)s::text[]) AS receipt (id, claim_no, delay, error, type)
WHERE message.id = receipt.id AND message.claim_no = receipt.claim_no AND message.state = 'claimed'
RETURNING message.id
