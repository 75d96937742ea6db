-- Read results. Reading destroys nothing.
SELECT token, record FROM {table} WHERE token = ANY(%(tokens)s::text[]) AND expires_at > clock_timestamp()
