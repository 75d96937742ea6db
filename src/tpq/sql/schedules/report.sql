-- Keep why a schedule is not followed, if that is news. A row that somebody has locked is left as it is: nobody waits
-- for what is only said.
UPDATE {table} SET error = %(error)s
WHERE id = (SELECT id FROM {table} WHERE id = %(id)s AND error <> %(error)s FOR NO KEY UPDATE SKIP LOCKED)
