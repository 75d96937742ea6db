-- Keep what became of a schedule that is locked.
UPDATE {table}
SET last_at = %(last_at)s, last_call = %(last_call)s, skipped_at = %(skipped_at)s, next_at = %(next_at)s, error = ''
WHERE id = %(id)s
