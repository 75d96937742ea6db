-- Delete the results of calls that run again: what they ended with before is no answer any more.
DELETE FROM {table} WHERE token = ANY(%(tokens)s::text[])
