-- The isolation level of this transaction.
SELECT current_setting('transaction_isolation')
