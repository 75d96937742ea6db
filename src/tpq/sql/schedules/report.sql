-- Keep why a schedule is not followed, if that is news.
UPDATE {table} SET error = %(error)s WHERE id = %(id)s AND error <> %(error)s
