"""Calls that have ended well and are kept: a partition a day, which comes in time and goes as a whole."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from django_tpq.futures.models import CallQueue, Finished
from tpq.finished import TABLE, finish, tend

pytestmark = pytest.mark.django_db(transaction=True)
DAY = timedelta(days=1)
PARTITIONS = "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'tpq_finished'::regclass"
OLD = """
    INSERT INTO tpq_finished (token, number, queue, task, priority, payload, record, consumer, enqueued_at, finished_at)
    SELECT %s, 1, 'default', 't', 0, '', '', 1, now(), now() - %s::interval
"""


def sql(statement, *values):
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return [row[0] for row in cursor.fetchall()] if cursor.description else []


def name(moment):
    return f"{TABLE}_{moment:%Y%m%d}"


@pytest.fixture(autouse=True)
def _empty(transactional_db):
    _clear()
    yield
    _clear()


def _clear():
    sql("TRUNCATE tpq_finished")
    for partition in sql(PARTITIONS):
        if not partition.endswith("default"):
            sql(f"DROP TABLE {partition}")


def test_the_partitions_of_today_and_the_next_two_days_are_made_once():
    today = datetime.now(UTC)
    assert tend(DAY, connection.cursor) == 3
    assert {name(today + n * DAY) for n in range(3)} <= set(sql(PARTITIONS))
    assert tend(DAY, connection.cursor) == 0


def test_a_partition_goes_when_all_in_it_is_too_old():
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    for age in (2, 3, 4):
        begin = today - age * DAY
        sql(
            f"CREATE TABLE {name(begin)} PARTITION OF {TABLE} FOR VALUES FROM ('{begin}') TO ('{begin + DAY}')"
        )
    tend(2 * DAY, connection.cursor)
    left = set(sql(PARTITIONS))
    assert name(today - 2 * DAY) in left
    assert not {name(today - 3 * DAY), name(today - 4 * DAY)} & left


def test_what_came_while_there_was_no_partition_is_kept_and_goes_in_its_time():
    sql(OLD, "young", timedelta(0))
    sql(OLD, "old", 3 * DAY)
    assert tend(2 * DAY, connection.cursor) == 2  # today's can not be made any more: its rows are elsewhere
    assert sql("SELECT token FROM tpq_finished") == ["young"]
    assert tend(2 * DAY, connection.cursor) == 0


def test_two_that_tend_at_once_are_in_nobodys_way(django_db_blocker):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN; SELECT pg_advisory_xact_lock(hashtext('\"tpq_finished\"'), 1)")
            assert tend(DAY, connection.cursor) == 0
    finally:
        other.close()


def call(number):
    return CallQueue.objects.create(
        task="t", token=f"{number:022}", payload=b"p", state="claimed", claimed_by=7, claim_no=2
    )


def test_claimed_calls_move_with_their_results_if_the_receipt_holds():
    held, late = call(1), call(2)
    receipts = [(held.pk, 2), (late.pk, 1)]
    assert finish("tpq_call", "default", receipts, [b"one", b"two"], connection.cursor) == {held.pk}
    kept = Finished.objects.get()
    assert (kept.token, kept.number, bytes(kept.record), kept.consumer) == (held.token, held.pk, b"one", 7)
    assert list(CallQueue.objects.all()) == [late]


def test_many_move_in_one_statement(django_assert_num_queries):
    calls = [call(number) for number in range(100)]
    with django_assert_num_queries(1):
        held = finish("tpq_call", "default", [(c.pk, 2) for c in calls], [b"r"] * 100, connection.cursor)
    assert len(held) == Finished.objects.count() == 100


def test_a_role_without_rights_on_tables_may_be_allowed_to_tend():
    sql("CREATE ROLE tender")
    try:
        sql("GRANT EXECUTE ON FUNCTION tend_tpq_finished(interval) TO tender")
        sql("SET ROLE tender")
        assert tend(DAY, connection.cursor) == 3
    finally:
        sql("RESET ROLE")
        sql("DROP OWNED BY tender; DROP ROLE tender")
