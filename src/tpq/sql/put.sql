-- Add one message. No row back: its unique_key is taken by a living message.
INSERT INTO {table} ({columns})
VALUES ({values})
{conflict}
RETURNING {returning}
