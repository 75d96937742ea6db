-- The statistics of tasks as one reads them: what was counted, and what runs in consumers whose heart beats.
CREATE VIEW tpq_task AS
SELECT coalesce(tally.name, census.name) AS name,
       coalesce(census.running, 0) AS running,
       coalesce(tally.total, 0) AS total,
       coalesce(tally.failures, 0) AS failures,
       tally.last_seen,
       tally.first_seen
FROM tpq_tally AS tally
FULL JOIN (
    SELECT run.key AS name, sum(run.value::bigint)::bigint AS running
    FROM tpq_consumer AS consumer, jsonb_each_text(consumer.running) AS run
    WHERE consumer.lost_at IS NULL AND consumer.beat_at > clock_timestamp() - interval '8 seconds'
    GROUP BY run.key
) AS census ON census.name = tally.name
