-- Note how far some calls have come. One look back at the row of each: it is updated in place.
INSERT INTO {table} (token, done, total, text, at)
SELECT token, done, total, text, clock_timestamp()
FROM unnest(%(tokens)s::text[], %(dones)s::float8[], %(totals)s::float8[], %(texts)s::text[])
    AS given (token, done, total, text)
ON CONFLICT (token) DO UPDATE SET done = excluded.done, total = excluded.total, text = excluded.text, at = excluded.at
