"""A run that takes longer than it may ends, wherever it runs, and says where it was. By real executors."""

import time

import pytest

from django_tpq.futures import CallExpired, CallTimeout, Future, MemoryExceeded
from django_tpq.futures.deadlines import Guard, Timers
from django_tpq.futures.models import CallQueue
from tests.testapp import long_tasks as tasks
from tests.testapp.models import PlainQueue


def test_a_thread_is_interrupted_where_it_is_and_clears_up(executor, tmp_path):
    running = executor("-t", "2")
    children = running.children()
    with pytest.raises(CallTimeout) as raised:
        tasks.late_in_thread.delay(str(tmp_path / "notes"), 20).result(wait=15)
    text = str(raised.value)
    assert "late_in_thread" in text
    assert "timeout of 0.5 s (attempt 1)" in text
    assert "in spend" in text
    assert (tmp_path / "notes").read_text() == "cleared up\n"
    assert tasks.in_thread.delay().result(wait=20)
    assert running.children() == children


def test_what_no_exception_reaches_has_its_process_replaced(executor):
    running = executor("-t", "2", "--grace", "5")
    children = running.children()
    started = time.monotonic()
    stuck = tasks.held_in_thread.delay(60)
    with pytest.raises(CallTimeout, match=r"in hold"):
        stuck.result(wait=40)
    assert time.monotonic() - started < 30
    assert tasks.in_thread.delay().result(wait=20)
    assert running.children() != children
    assert "this process is replaced" in running.text()


def test_a_coroutine_is_cancelled_and_clears_up(executor, tmp_path):
    executor("-t", "1")
    with pytest.raises(CallTimeout, match="in late_in_loop"):
        tasks.late_in_loop.delay(str(tmp_path / "notes"), 20).result(wait=15)
    assert (tmp_path / "notes").read_text() == "cleared up\n"


@pytest.mark.parametrize(
    "options", [{"executor": "thread"}, {"executor": "process"}, {"executor": "thread", "atomic": True}]
)
def test_a_coroutine_is_cancelled_wherever_it_runs_and_its_process_lives_on(executor, tmp_path, options):
    process = executor("-t", "1", "--workers", "1")
    before = process.children()
    error = tasks.wait_and_clear_up.using(**options).delay(str(tmp_path / "notes")).exception(wait=20)
    assert isinstance(error, CallTimeout)
    assert options["executor"] == "process" or "in _deeper" in str(error)
    assert (tmp_path / "notes").read_text().split("\n")[:2] == ["begun", "cleared up"]
    assert tasks.count.delay(1, 0.0).exception(wait=20) is None
    assert process.children() == before


def test_a_process_is_ended_and_clears_up(executor, tmp_path):
    executor("-t", "1", "--workers", "1")
    with pytest.raises(CallTimeout, match="in hold"):
        tasks.late_in_process.delay(str(tmp_path / "notes"), 60).result(wait=30)
    assert (tmp_path / "notes").read_text() == "cleared up\n"
    assert tasks.in_process.delay().result(wait=20)


def test_a_process_that_will_not_end_is_killed(executor):
    executor("-t", "1", "--workers", "1")
    started = time.monotonic()
    with pytest.raises(CallTimeout, match="in spend"):
        tasks.stubborn_in_process.delay(60).result(wait=40)
    assert time.monotonic() - started < 30
    assert tasks.in_process.delay().result(wait=20)


def test_a_transaction_ends_with_its_time_though_the_server_keeps_it(executor):
    executor("-t", "1")
    started = time.monotonic()
    with pytest.raises(CallTimeout):
        tasks.late_in_transaction.delay(60).result(wait=30)
    assert time.monotonic() - started < 20
    assert not PlainQueue.objects.exists()


def test_a_timeout_is_an_error_like_any_other_and_has_its_attempts(executor, tmp_path):
    executor("-t", "1")
    assert tasks.late_twice.delay(str(tmp_path / "runs")).result(wait=30) == 3
    assert (tmp_path / "runs").read_text() == "run\n" * 3


def test_a_call_may_have_another_timeout_than_its_task(executor, tmp_path):
    executor("-t", "2")
    longer = tasks.late_in_thread.using(timeout=30).delay(str(tmp_path / "a"), 1)
    without = tasks.late_in_thread.using(timeout=None).delay(str(tmp_path / "b"), 1)
    assert longer.result(wait=20) is None
    assert without.result(wait=20) is None


def test_a_call_that_makes_its_worker_too_large_is_ended(executor):
    executor("-t", "1", "--workers", "1", "--max-memory", "256M")
    with pytest.raises(MemoryExceeded, match=r"larger than 256 MiB[^\n]*\n.*in eat"):
        tasks.eat.delay(600).result(wait=40)
    assert tasks.in_process.delay().result(wait=20)


def test_guards_of_runs_that_have_ended_are_not_kept(by_hand):
    timers = Timers()
    tasks.in_thread.delay()
    (call,) = by_hand.claim()
    running = Guard(call, 3600, print, str, print).start(timers)
    for _ in range(5000):
        Guard(call, 3600, print, str, print).start(timers).end()
    assert len(timers._heap) <= 1001
    assert running in [guard for _, _, guard in timers._heap]


def test_a_run_that_ends_in_time_is_not_interrupted_later(executor, tmp_path):
    running = executor("-t", "1")
    futures = [tasks.late_in_thread.delay(str(tmp_path / "notes"), 0.01) for _ in range(100)]
    assert [future.result(wait=20) for future in futures] == [None] * 100
    time.sleep(0.7)
    assert tasks.in_thread.delay().result(wait=20)
    assert "Interruption" not in running.text()


def test_what_is_stuck_ends_an_executor_that_drains(executor):
    stuck, others = tasks.held_in_thread.delay(40), tasks.in_thread.delay_many([()] * 50)
    running = executor("--once", "-t", "2", "--grace", "3", wait=False)
    assert running.process.wait(60) == 0
    assert all(future.result() for future in others)
    with pytest.raises(CallTimeout):
        stuck.result()


# Not begun in time ----------------------------------------------------------------------------------------


def test_what_has_not_begun_in_time_never_runs(by_hand, tmp_path):
    path = tmp_path / "runs"
    late = tasks.until_cancelled.using(expires=0.05).delay(str(path))
    time.sleep(0.1)
    by_hand.work()
    with pytest.raises(CallExpired, match="had not begun"):
        late.result()
    assert not path.exists()
    assert CallQueue.objects.get().errors[-1]["type"] == "django_tpq.futures.errors.CallExpired"


@pytest.mark.parametrize(
    "requeue",
    [lambda number: CallQueue.objects.requeue([number]), lambda _: CallQueue.objects.dead().requeue()],
    ids=["by id", "in bulk"],
)
def test_what_had_expired_runs_when_a_person_revives_it(by_hand, requeue):
    late = tasks.in_thread.using(expires=0.05, result_ttl=60).delay()
    time.sleep(0.1)
    by_hand.work()
    assert CallQueue.objects.get().state == "dead"
    requeue(late._call.number)
    assert CallQueue.objects.get().headers == {"result_ttl": 60.0}
    by_hand.work()
    assert Future.get(late.id).result()


def test_what_begins_in_time_runs(by_hand):
    call = tasks.in_thread.using(expires=60).delay()
    by_hand.work()
    assert call.result()
