"""How an executor stops: what runs has its time, what does not run goes back, nothing is lost or counted twice."""

import os
import signal

import pytest

from django_tpq.futures.models import CallQueue, Task
from tests.failures.accidents import tasks
from tests.fixtures.process import is_alive


@pytest.fixture
def notes(tmp_path):
    return tmp_path / "notes"


@pytest.fixture
def go(tmp_path):
    return tmp_path / "go"


def test_running_calls_finish_and_no_others_begin(executor, notes, go, eventually):
    process = executor("-t", "2")
    running = tasks.wait_for.delay_many([(str(notes), str(go))] * 2)
    have_begun(notes, 2, eventually)
    behind = tasks.deliveries.delay_many([()] * 10)
    process.process.terminate()
    process.says("stopping")
    go.touch()
    assert process.process.wait(30) == 0
    assert [future.result() for future in running] == [1, 1]
    assert not any(future.is_done() for future in behind)
    assert set(CallQueue.objects.values_list("state", "claim_no", "deliveries")) == {("ready", 0, 0)}


def test_what_was_claimed_and_has_not_begun_goes_back_at_once(executor, notes, go, eventually):
    """While the call that runs still has its time."""
    process = executor("-t", "1")
    others = tasks.nothing_at_all.delay_many([()] * 2000)
    blocking = tasks.wait_for.delay(str(notes), str(go))
    behind = tasks.nothing_at_all.delay_many([()] * 2000)
    have_begun(notes, 1, eventually)
    process.process.terminate()

    def only_one_is_claimed():
        assert CallQueue.objects.filter(state="claimed").count() == 1

    eventually(only_one_is_claimed, 10)
    assert process.process.poll() is None
    assert all(future.is_done() for future in others)
    assert CallQueue.objects.filter(state="ready", deliveries=0).count() == len(behind)
    go.touch()
    assert process.process.wait(30) == 0
    assert blocking.result() == 1


def test_statistics_are_flushed(executor):
    process = executor("-t", "2")
    for future in tasks.nothing_at_all.delay_many([()] * 200):
        future.result(wait=20)
    assert process.stop() == 0
    assert Task.objects.get().total == 200


def test_after_the_grace_time_calls_are_given_back_and_lose_no_delivery(executor, notes, go, eventually):
    process = executor("-t", "2", "--grace", "0.5")
    futures = tasks.wait_for.delay_many([(str(notes), str(go))] * 2)
    have_begun(notes, 2, eventually)
    assert process.stop() == 0
    assert list(CallQueue.objects.values_list("state", "deliveries")) == [("ready", 0)] * 2
    go.touch()
    executor("-t", "2")
    assert [future.result(wait=20) for future in futures] == [2, 2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_second_signal_hurries(executor, notes, go, eventually, number):
    process = executor("-t", "1", "--grace", "600")
    tasks.wait_for.delay(str(notes), str(go))
    have_begun(notes, 1, eventually)
    os.kill(process.process.pid, number)
    process.says("stopping")
    os.kill(process.process.pid, number)
    assert process.process.wait(20) == 0
    assert list(CallQueue.objects.values_list("state", "deliveries")) == [("ready", 0)]


def test_a_second_signal_that_is_lost_in_the_first_hurries_too(executor, notes, go, eventually):
    """The process is stopped and wakes to both as one."""
    process = executor("-t", "1", "--grace", "600")
    tasks.wait_for.delay(str(notes), str(go))
    have_begun(notes, 1, eventually)
    (child,) = process.children()
    os.kill(child, signal.SIGSTOP)
    for told in "stopping", "at once":
        process.process.terminate()
        process.says(told)
    os.kill(child, signal.SIGCONT)
    assert process.process.wait(20) == 0
    assert "does not end" not in process.text()


def test_a_process_that_holds_pythons_lock_is_killed_when_its_time_is_over(executor, notes, eventually):
    process = executor("-t", "1", "--grace", "0")
    tasks.hold_the_lock.delay(str(notes))

    def it_holds():
        assert notes.exists()

    eventually(it_holds, 20)
    (child,) = process.children()
    assert process.stop() == 0
    assert not is_alive(child)
    assert "does not end" in process.text()
    assert list(CallQueue.objects.values_list("state", "deliveries")) == [("ready", 0)]
    CallQueue.objects.all().delete()


def test_a_process_told_to_stop_by_itself_ends_in_order_and_is_replaced(executor, notes, go, eventually):
    process = executor("-t", "1")
    future = tasks.wait_for.delay(str(notes), str(go))
    have_begun(notes, 1, eventually)
    (first,) = process.children()
    os.kill(first, signal.SIGTERM)
    go.touch()
    assert future.result(wait=20) == 1
    assert tasks.process.delay().result(wait=30)[0] != first


def have_begun(notes, number, eventually):
    def begun():
        assert notes.exists()
        assert notes.read_text().count("waits") == number

    eventually(begun, 20)
