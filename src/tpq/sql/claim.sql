-- Claim the first ready messages for a consumer whose heart beats. Never more than asked (`= ANY(ARRAY(…))`).
-- Levels are ranges of priorities in falling order: where a range is one priority, only what lies above its floor is
-- looked at (tpq/floors.py). A join with a function's rows by LATERAL keeps their order, and locks no more than LIMIT.
-- Rows are gone back to by their place: by id takes an index and a ninth more (docs/decisions/0020).
-- RETURNING promises no order. Suspects, whose last run may have ended its process, are left to claim_suspects; those of
-- lanes above 1 run in processes of their own, and take nobody with them.
UPDATE {table}
SET state = 'claimed', claim_no = claim_no + 1, claimed_by = %(consumer)s, due_at = NULL,
    claimed_at = statement_timestamp()
WHERE ctid = ANY(ARRAY(
    SELECT coalesce(one.ctid, other.ctid)
    FROM unnest(%(lows)s::smallint[], %(highs)s::smallint[], %(floors)s::bigint[]) AS level (low, high, floor)
    LEFT JOIN LATERAL (
        SELECT ctid FROM {table}
        WHERE level.low = level.high AND lane = %(lane)s AND state = 'ready' AND (deliveries = 0 OR lane > 1)
          AND priority = level.low AND seq > level.floor
        ORDER BY seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
    ) AS one ON true
    LEFT JOIN LATERAL (
        SELECT ctid FROM {table}
        WHERE level.low < level.high AND lane = %(lane)s AND state = 'ready' AND (deliveries = 0 OR lane > 1)
          AND priority BETWEEN level.low AND level.high
        ORDER BY priority DESC, seq LIMIT %(count)s FOR UPDATE SKIP LOCKED
    ) AS other ON true
    WHERE one.ctid IS NOT NULL OR other.ctid IS NOT NULL
    LIMIT %(count)s
))
RETURNING priority, seq, {returning}
