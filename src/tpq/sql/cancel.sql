-- Cancel a message: one that waits ends dead, one that runs is marked for who runs it. Returns the state it had then:
-- no row: it has ended, or it runs and is not to be marked (`running`). One statement, so that a message that is
-- claimed meanwhile is looked at again.
UPDATE {table} AS message
SET state = CASE WHEN state = 'claimed' THEN state ELSE 'dead' END,
    headers = CASE WHEN state = 'claimed' THEN coalesce(headers, '{{}}') || '{{"cancelled": true}}' ELSE headers END,
    due_at = CASE WHEN state = 'claimed' THEN due_at ELSE clock_timestamp() + %(keep)s::interval END,
    error = CASE WHEN state = 'claimed' THEN error ELSE %(error)s END,
    errors = CASE WHEN state = 'claimed' THEN errors ELSE {failed} END
WHERE id = %(id)s AND state <> 'dead' AND (state <> 'claimed' OR %(running)s){filters}
RETURNING state
