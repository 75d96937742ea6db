-- Give up on claimed messages: they stay as dead letters with their error, for `keep` or for ever (NULL).
-- Returns the receipts that held.
UPDATE {table} AS message
SET state = 'dead', claimed_by = NULL, due_at = clock_timestamp() + %(keep)s::interval,
    attempt = attempt + 1, error = receipt.error, errors = {failed}
FROM unnest(%(ids)s::bigint[], %(claim_nos)s::int[], %(errors)s::text[], %(types)s::text[])
    AS receipt (id, claim_no, error, type)
WHERE message.id = receipt.id AND message.claim_no = receipt.claim_no AND message.state = 'claimed'
RETURNING message.id
