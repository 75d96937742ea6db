-- Delete results that have expired, a bounded number at once. Returns their number.
WITH gone AS (
    DELETE FROM {table} WHERE token = ANY(ARRAY(
        SELECT token FROM {table} WHERE expires_at <= (SELECT clock_timestamp())
        ORDER BY expires_at LIMIT %(count)s FOR UPDATE SKIP LOCKED
    )) RETURNING token
)
SELECT count(*) FROM gone
