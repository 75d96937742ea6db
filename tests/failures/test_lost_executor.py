"""The only executor is killed."""

import time
from datetime import timedelta

from django.db.models import F, Sum

from django_tpq.futures.models import CallQueue, Task
from django_tpq.main.models import Consumer
from tests.failures.accidents import tasks
from tpq.heartbeat import PATIENCE

BEHIND = 100_000


def test_its_calls_run_again_within_fifteen_seconds_and_before_all_that_is_behind_them(executor, waiters):
    first = executor("-t", "8")
    futures = waiters.call(8)
    waiters.have_begun(8)
    # Slow enough that they are not all done before the dead executor is missed.
    tasks.write.delay_many([(str(waiters.notes), "behind", 0.005)] * BEHIND)
    first.kill()
    killed = time.monotonic()
    second = executor("-t", "16")
    waiters.have_begun(16, within=25)
    assert time.monotonic() - killed < 15
    waiters.let_go()
    assert [future.result(wait=30) for future in futures] == [2] * 8
    second.kill()
    assert CallQueue.objects.all().count() > 1000, "there was not enough behind them to say anything"
    lines = waiters.notes.read_text().splitlines()[8:]
    again = [place for place, line in enumerate(lines) if line == "waits"]
    # What the sixteen threads had in hand may end between them; nothing is claimed.
    assert again[-1] - again[0] < 8 + 16
    CallQueue.objects.all().delete()


def test_nothing_is_said_to_run_when_its_last_beat_is_as_old_as_a_lease(executor, waiters, eventually):
    first = executor("-t", "4")
    waiters.call(6)
    waiters.have_begun(4)
    eventually(lambda: runs(4), 10)  # started ones only: two wait for a thread
    first.kill()
    Consumer.objects.update(beat_at=F("beat_at") - timedelta(seconds=PATIENCE))
    runs(0)


def has_counted(number):
    assert (Task.objects.aggregate(Sum("total"))["total__sum"] or 0) > number


def runs(number):
    running = {task.name: task.running for task in Task.objects.all()}
    assert running.get(tasks.wait_for.name, 0) == number


def test_what_ran_when_it_was_killed_is_counted_once(executor, tmp_path, eventually):
    executor("-t", "1")
    for number in range(3):
        assert tasks.die_once.delay(str(tmp_path / f"{number}")).result(wait=30) == "survived"

    def three_are_counted():
        assert list(Task.objects.values_list("total", "failures", "running")) == [(3, 0, 0)]

    eventually(three_are_counted, 10)


def test_executors_that_flush_at_once_lose_nothing(executor, eventually):
    executor("-t", "4", "--processes", "2")
    executor("-t", "4")
    calls = [tasks.nothing_at_all, tasks.deliveries, tasks.throw]
    arguments = [(), (), ("SystemExit",)]
    for batch in range(5):
        for task, given in zip(calls, arguments, strict=True):
            task.delay_many([given] * 200)
        eventually(lambda batch=batch: has_counted(batch * 600), 20)

    def all_are_counted():
        counted = {task.name: (task.total, task.failures) for task in Task.objects.all()}
        expected = [(1000, 0), (1000, 0), (1000, 1000)]
        assert counted == {task.name: each for task, each in zip(calls, expected, strict=True)}

    eventually(all_are_counted, 40)
    assert all(task.first_seen <= task.last_seen for task in Task.objects.all())
