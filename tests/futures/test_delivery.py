"""The door out: the fence first, then results, counts and signals for those that held."""

from datetime import timedelta

import pytest

from django_tpq.futures import ResultExpired, ResultTimeout, TaskFailed
from django_tpq.futures.models import CallQueue, Result, Task
from django_tpq.futures.outcomes import Failure, Postponed, Refused, Success
from django_tpq.futures.signals import task_finished
from tests.futures.conftest import CONSUMER
from tests.testapp import tasks
from tests.testapp.models import MailQueue
from tpq.table import Receipt


@pytest.fixture
def finished():
    """What `task_finished` told."""
    told = []

    def listen(sender, task, call, failed, **_):
        told.append((call, failed))

    task_finished.connect(listen)
    yield told
    task_finished.disconnect(listen)


def lose(by_hand, call):
    """Another consumer gets the call."""
    by_hand.tables[call.queue].release([Receipt(call.id, call.claim_no)])
    (again,) = by_hand.tables[call.queue].claim(CONSUMER + 1, 1)
    assert (again.id, again.claim_no) == (call.id, call.claim_no + 1)


def counted(by_hand):
    by_hand.tally.flush(by_hand.connection)
    return {task.name.rpartition(".")[2]: (task.total, task.failures) for task in Task.objects.all()}


def test_a_success_leaves_a_result_and_no_row(by_hand):
    future = tasks.add.delay(1, 2)
    by_hand.work()
    assert CallQueue.objects.count(state="dead") == CallQueue.objects.count() == 0
    assert future.result() == 3


def test_a_failure_leaves_a_result_and_a_dead_letter_with_the_traceback(by_hand):
    future = tasks.fail.delay("boo")
    by_hand.work()
    with pytest.raises(tasks.Trouble):
        future.result()
    row = CallQueue.objects.get()
    assert row.state == "dead"
    assert row.error.endswith("Trouble: ('boo', 1)\n")


def test_each_kind_of_outcome_of_one_batch_has_its_own_end(by_hand, finished):
    ok, bad, forged, unknown = (tasks.add.delay(1, i) for i in range(4))
    CallQueue.objects.filter(token=bad._call.token).update(payload=b"")
    CallQueue.objects.filter(token=unknown._call.token).update(task="not.here")
    tasks.fail.delay("boo")
    ended = by_hand.run(*by_hand.claim())
    assert {type(e.outcome) for e in ended} == {Success, Failure, Postponed, Refused}
    by_hand.settle(*ended)
    assert ok.result() == 1
    assert forged.result() == 3
    with pytest.raises(TaskFailed, match="refused"):
        bad.result()
    with pytest.raises(ResultTimeout):
        unknown.result()
    states = dict(CallQueue.objects.values_list("token", "state"))
    assert states[bad._call.token] == "dead"
    assert states[unknown._call.token] == "waiting"
    assert sorted(failed for _, failed in finished) == [False, False, True, True]
    assert counted(by_hand) == {"add": (3, 1), "fail": (1, 1)}


def test_a_call_of_an_unknown_task_counts_as_nothing(by_hand):
    tasks.add.delay(1, 2)
    CallQueue.objects.update(task="not.here")
    by_hand.work()
    row = CallQueue.objects.get()
    assert (row.state, row.attempt, row.deliveries) == ("waiting", 0, 0)
    assert "UnknownTask" in row.error
    assert counted(by_hand) == {}
    assert not Result.objects.exists()


@pytest.mark.parametrize("again", [False, True])
@pytest.mark.parametrize("task", [tasks.add, tasks.whoami], ids=["success", "failure"])
def test_a_late_outcome_changes_nothing(by_hand, finished, task, again):
    future = task.delay(*([1, 2] if task is tasks.add else ["one too many"]))
    (late,) = by_hand.run(*by_hand.claim())
    lose(by_hand, late.call)
    before = CallQueue.objects.values().get()
    by_hand.settle(late, again=again)
    assert CallQueue.objects.values().get() == before
    assert not Result.objects.exists()
    assert counted(by_hand) == {}
    assert finished == []
    assert not future.is_done()


def test_a_late_outcome_does_no_harm_to_its_neighbours(by_hand):
    first, lost, last = tasks.add.delay_many([(1, 1), (2, 2), (3, 3)])
    ended = by_hand.run(*by_hand.claim())
    lose(by_hand, ended[1].call)
    by_hand.settle(*ended)
    assert (first.result(), last.result()) == (2, 6)
    assert not lost.is_done()


def test_a_late_outcome_does_not_pass_for_a_call_of_the_same_number_in_another_queue(by_hand, finished):
    mine, late = tasks.add.delay(1, 2), tasks.mail.delay("ada")
    number = late._call.number + 1000
    CallQueue.objects.update(id=number)
    MailQueue.objects.update(id=number)
    ended = by_hand.run(*by_hand.claim(), *by_hand.claim("mail"))
    assert len({e.receipt for e in ended}) == 1
    lose(by_hand, ended[1].call)
    by_hand.settle(*ended)
    assert [result.token for result in Result.objects.all()] == [mine._call.token]
    assert counted(by_hand) == {"add": (1, 0)}
    assert len(finished) == 1


def test_of_two_runs_of_one_call_that_end_together_only_the_later_claim_counts(by_hand, finished):
    future = tasks.add.delay(1, 2)
    (late,) = by_hand.run(*by_hand.claim())
    by_hand.tables["default"].release([late.receipt])
    (second,) = by_hand.run(*by_hand.claim())
    by_hand.settle(second, late)
    assert future.result() == 3
    assert counted(by_hand) == {"add": (1, 0)}
    assert len(finished) == 1


def test_after_an_answer_that_got_lost_the_same_outcomes_are_applied_again(by_hand):
    ok, bad = tasks.add.delay(1, 2), tasks.fail.delay("boo")
    ended = by_hand.run(*by_hand.claim())
    table = by_hand.tables["default"]
    table.ack([ended[0].receipt])
    table.bury([ended[1].receipt], ["boo"])
    by_hand.settle(*ended, again=True)
    assert ok.result() == 3
    with pytest.raises(tasks.Trouble):
        bad.result()
    assert counted(by_hand) == {"add": (1, 0), "fail": (1, 1)}


def test_a_result_that_can_not_be_kept_keeps_the_call_too(by_hand):
    """The store in PostgreSQL: both or neither."""
    tasks.add.delay(1, 2)
    (ended,) = by_hand.run(*by_hand.claim())
    by_hand.connection.execute("ALTER TABLE tpq_result ADD CONSTRAINT full_up CHECK (false)")
    try:
        with pytest.raises(Exception, match="full_up"):
            by_hand.settle(ended)
    finally:
        by_hand.connection.execute("ALTER TABLE tpq_result DROP CONSTRAINT full_up")
    assert CallQueue.objects.get().state == "claimed"
    assert counted(by_hand) == {}
    by_hand.settle(ended, again=True)
    assert Result.objects.count() == 1


def test_no_result_is_kept_for_a_task_that_wants_none(by_hand, impatient):
    future = tasks.forgotten.delay()
    by_hand.work()
    assert not Result.objects.exists()
    assert counted(by_hand) == {"forgotten": (1, 0)}
    with pytest.raises(ResultExpired):
        future.result(wait=30)


def test_a_result_is_kept_for_the_time_of_its_task(by_hand):
    tasks.brief.delay()
    by_hand.work()
    ((expires,),) = by_hand.connection.execute("SELECT expires_at - clock_timestamp() FROM tpq_result")
    assert timedelta(seconds=30) < expires <= timedelta(seconds=60)


def test_else_a_result_is_kept_as_the_setting_says(by_hand, settings):
    settings.TPQ_RESULT_TTL = 5000
    tasks.nothing.delay()
    by_hand.work()
    ((expires,),) = by_hand.connection.execute("SELECT expires_at - clock_timestamp() FROM tpq_result")
    assert timedelta(seconds=4900) < expires <= timedelta(seconds=5000)


def test_dead_letters_are_kept_as_the_setting_says(by_hand, settings):
    settings.TPQ_DEAD_LETTER_TTL = None
    tasks.fail.delay("for ever")
    by_hand.work()
    assert CallQueue.objects.get().due_at is None
