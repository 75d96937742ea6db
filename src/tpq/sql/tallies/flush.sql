-- Add what a process has counted, in the order of the names, so that two that flush at once can not deadlock.
INSERT INTO {table} AS tally (name, total, failures, first_seen, last_seen)
SELECT name, total, failures, clock_timestamp() - first_age, clock_timestamp() - last_age
FROM unnest(%(names)s::text[], %(totals)s::bigint[], %(failures)s::bigint[],
            %(first_ages)s::interval[], %(last_ages)s::interval[])
    AS counted (name, total, failures, first_age, last_age)
ORDER BY name
ON CONFLICT (name) DO UPDATE SET
    total = tally.total + excluded.total,
    failures = tally.failures + excluded.failures,
    first_seen = least(tally.first_seen, excluded.first_seen),
    last_seen = greatest(tally.last_seen, excluded.last_seen)
