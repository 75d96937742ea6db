"""PostgreSQL stands still, as on a hung machine: it answers nobody, and no connection breaks by itself."""

import time

import pytest

from django_tpq.futures.models import CallQueue
from tests.failures.accidents import tasks

LONG = 12.0
"""Seconds: longer than what the executors here wait for an answer, and than a lease."""


@pytest.fixture
def frozen(own_server):
    """Freeze the server; it is thawed at the end."""
    yield own_server.freeze
    own_server.thaw()


def test_an_executor_gives_its_connections_up_and_goes_on_when_it_is_back(
    own_executor, own_server, frozen, eventually
):
    executor = own_executor("-t", "2", TPQ_TEST_ANSWER_TIMEOUT="2")
    assert tasks.deliveries.delay().result(wait=20) == 0
    frozen()
    executor.says("no answer from the database for 2 s: the connection is given up")
    executor.says("the database is away")
    time.sleep(LONG - 4)
    own_server.thaw()
    executor.says("the database is back")
    assert tasks.deliveries.delay().result(wait=30) == 0
    assert executor.stop() == 0


def test_what_ran_meanwhile_is_settled_once(own_executor, own_server, frozen, waiters, eventually):
    executor = own_executor("-t", "2", TPQ_TEST_ANSWER_TIMEOUT="2")
    waiters.call(2)
    waiters.have_begun(2)
    frozen()
    waiters.let_go()
    executor.says("the database is away")
    own_server.thaw()

    def nothing_is_left():
        assert not CallQueue.objects.exists()

    eventually(nothing_is_left, 30)
    assert waiters.begun() == 2
    assert executor.stop() == 0


def test_it_can_be_told_to_stop_meanwhile(own_executor, own_server, frozen):
    executor = own_executor("-t", "2", TPQ_TEST_ANSWER_TIMEOUT="2")
    frozen()
    executor.says("the database is away")
    began = time.monotonic()
    executor.stop()
    assert time.monotonic() - began < 30
