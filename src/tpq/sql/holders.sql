-- The consumers that hold claims. It reads the whole table: for a rare look.
SELECT DISTINCT claimed_by FROM {table} WHERE state = 'claimed' AND due_at IS NULL
