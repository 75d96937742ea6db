-- How far some calls have come.
SELECT token, done, total, text, at FROM {table} WHERE token = ANY(%(tokens)s::text[])
