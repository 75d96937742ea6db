"""Django's connections in executors: closed as after a request, never leaked, whatever a task does to them."""

import pytest
from django.db import connection

from tests.failures.accidents import tasks

CARELESS = [
    tasks.leave_a_transaction_open,
    tasks.leave_autocommit_off,
    tasks.close_in_a_block,
    tasks.close_the_connection,
    tasks.kill_the_connection,
]


@pytest.fixture
def backends():
    """The pids of the test database's backends that are none of ours, idle in a transaction or not."""

    def backends(condition: str = "true") -> set[int]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
                f"AND backend_type = 'client backend' AND {condition}"
            )
            return {row[0] for row in cursor.fetchall()}

    return backends


def results(futures):
    return [future.result(wait=40) for future in futures]


def test_careless_tasks_harm_nobody_after_them(executor, backends, eventually):
    executor("-t", "1")
    results(tasks.query.delay_many([()] * 3))
    for task in CARELESS:
        error = task.delay().exception(wait=20)
        assert (error is not None) == (task is tasks.kill_the_connection), task.name
        results(tasks.query.delay_many([()] * 3))

    def no_transaction_is_open():
        assert not backends("state LIKE 'idle in transaction%'")

    eventually(no_transaction_is_open)


def test_what_a_task_left_uncommitted_is_rolled_back_and_said(executor):
    process = executor("-t", "1")
    tasks.leave_a_transaction_open.delay().result(wait=20)
    tasks.nothing_at_all.delay().result(wait=20)
    assert "a task left a transaction open on 'default': it was rolled back" in process.text()


def test_without_a_maximal_age_each_call_gets_a_connection_and_none_stays(executor, backends, eventually):
    process = executor("-t", "4")
    before = backends()
    pids = results(tasks.query.delay_many([()] * 100))
    assert len(set(pids)) == 100

    def none_is_left():
        assert not set(pids) & backends()
        assert len(backends()) <= len(before) + 1, process.text()  # one: our own of waiting for results

    eventually(none_is_left)


def test_with_an_unlimited_age_each_thread_keeps_one(executor, backends):
    executor("-t", "4", TPQ_TEST_CONN_MAX_AGE="None")
    pids = results(tasks.query.delay_many([()] * 200))
    assert 1 <= len(set(pids)) <= 4
    assert set(pids) <= backends()


def test_a_call_that_asks_nothing_opens_no_connection(executor):
    executor("-t", "1")
    results(tasks.query.delay_many([()] * 2))
    before = _sessions()
    results(tasks.nothing_at_all.delay_many([()] * 50))
    assert _sessions() - before < 10


def _sessions() -> int:
    """How many connections to the test database there have been."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT sessions FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]
