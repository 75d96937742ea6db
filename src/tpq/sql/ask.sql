-- Ask to be woken for so many milliseconds: who adds messages from now on rings. It is set anew when less than half of
-- that time is left. True: it rang already. False: what was added until now may not have rung, so look once more.
-- NULL: this role may not ask.
SELECT CASE
    WHEN seq IS NULL OR until > now + %(ms)s::bigint / 2 THEN true
    WHEN NOT has_sequence_privilege(seq, 'UPDATE') THEN until IS NULL OR NULL
    WHEN setval(seq, now + %(ms)s::bigint) > 0 THEN coalesce(until > now, true)
END
FROM (
    SELECT seq, pg_sequence_last_value(seq) AS until, (date_part('epoch', clock_timestamp()) * 1000)::bigint AS now
    FROM CAST(pg_get_serial_sequence({table_name}, 'state') AS regclass) AS seq
) AS bell
