"""A task that ends its process, in whatever way, is the only one that suffers."""

import os
import signal

import pytest

from django_tpq.futures import ExecutorLost
from django_tpq.futures.models import CallQueue, Task
from tests.failures.accidents import tasks


@pytest.mark.parametrize("code", [0, 75])
def test_a_task_that_calls_os_exit_ends_as_executor_lost(executor, tmp_path, code):
    executor("-t", "2")
    notes = tmp_path / "notes"
    lost = tasks.leave.delay(str(notes), code)
    with pytest.raises(ExecutorLost):
        lost.result(wait=40)
    assert notes.read_text() == "leaves\n" * 3
    assert tasks.query.delay().result(wait=20)


def test_one_loss_is_enough_for_a_task_that_says_so(executor, tmp_path, eventually):
    executor("-t", "2")
    notes = tmp_path / "notes"
    with pytest.raises(ExecutorLost):
        tasks.leave_at_once.delay(str(notes), 0).result(wait=30)
    with pytest.raises(ExecutorLost):
        tasks.crash.delay(str(notes)).result(wait=30)
    assert notes.read_text().split() == ["leaves", "crashes"]
    assert CallQueue.objects.count(state="dead") == 2

    def both_are_counted():
        found = {t.name.rpartition(".")[2]: (t.total, t.failures) for t in Task.objects.all()}
        assert found == {"leave_at_once": (1, 1), "crash": (1, 1)}

    eventually(both_are_counted)


def test_what_no_except_exception_catches_is_a_failure_of_the_call_alone(executor):
    before = executor("-t", "1").children()
    thrown = [tasks.throw.delay(name) for name in ("SystemExit", "KeyboardInterrupt", "BaseException")]
    assert [type(call.exception(wait=20)).__name__ for call in thrown] == ["TaskFailed"] * 3
    assert type(tasks.throw_async.delay().exception(wait=20)).__name__ == "TaskFailed"
    assert tasks.process.delay().result(wait=20)[0] in before


def test_what_a_task_printed_is_not_lost_with_the_process(executor):
    process = executor("-t", "1")
    tasks.say.delay("a word from a task").result(wait=20)
    assert process.stop() == 0
    assert "a word from a task" in process.text()


def test_a_process_killed_from_outside_is_replaced_and_its_calls_run_again_within_three_seconds(
    executor, waiters
):
    process = executor("-t", "4")
    futures = waiters.call(4)
    waiters.have_begun(4)
    (first,) = process.children()
    os.kill(first, signal.SIGKILL)
    waiters.have_begun(8, within=3)
    waiters.let_go()
    assert [future.result(wait=20) for future in futures] == [2] * 4
    assert first not in process.children()
    assert "SIGKILL" in process.text()


def test_neighbours_of_a_killer_do_not_count_a_delivery(executor, tmp_path, waiters):
    """It was started once more and alone: so it was watched, and it alone is to blame."""
    executor("-t", "4")
    futures = waiters.call(3)
    waiters.have_begun(3)
    lost = tasks.leave.delay(str(tmp_path / "killer"), 1)
    with pytest.raises(ExecutorLost):
        lost.result(wait=30)
    # The first death may have been anybody's: all four lose one. The later two are the killer's alone.
    assert list(CallQueue.objects.exclude(state="dead").values_list("deliveries", flat=True)) == [1, 1, 1]
    waiters.let_go()
    assert all(future.result(wait=30) for future in futures)


def test_what_was_claimed_and_had_not_begun_counts_no_delivery(executor, tmp_path):
    executor("-t", "1")
    # Quick calls first, so that the process takes more than it runs.
    tasks.nothing_at_all.delay_many([()] * 300)
    lost = tasks.leave_at_once.delay(str(tmp_path / "notes"), 1)
    behind = tasks.deliveries.delay_many([()] * 300)
    with pytest.raises(ExecutorLost):
        lost.result(wait=30)
    assert {future.result(wait=30) for future in behind} == {0}
