-- The name of this queue's bell. It follows the table through renames.
SELECT 'tpq_' || {table_name}::regclass::oid
