"""An executor that was stopped for longer than its lease, and comes back late."""

import signal
from datetime import timedelta

from django.db.models.functions import Now

from django_tpq.futures.models import CallQueue, Task
from django_tpq.main.models import Consumer
from tests.failures.accidents import tasks
from tpq.heartbeat import PATIENCE


def test_its_outcome_is_dropped_and_counted_by_nobody_and_it_works_on(executor, waiters):
    first = executor("-t", "1")
    (future,) = waiters.call(1)
    waiters.have_begun(1)
    first.send(signal.SIGSTOP)
    second = executor("-t", "1")
    waiters.have_begun(2, within=30)
    second.send(signal.SIGSTOP)
    waiters.let_go()
    first.send(signal.SIGCONT)
    first.says("was lost to another: its outcome is dropped")
    assert not future.is_done()
    assert CallQueue.objects.get().claim_no == 2
    assert tasks.deliveries.delay().result(wait=20) == 0  # under a new name
    second.send(signal.SIGCONT)
    assert future.result(wait=30) == 2  # the number of the second claim
    assert first.stop() == second.stop() == 0
    assert Task.objects.get(name__endswith="wait_for").total == 1


def test_two_that_were_stopped_together_do_not_take_each_other_for_dead(executor, waiters, eventually):
    both = executor("-t", "1"), executor("-t", "1")
    waiters.call(2)
    waiters.have_begun(2)
    for each in both:
        each.send(signal.SIGSTOP)

    def are_late(number):
        late = Consumer.objects.filter(beat_at__lt=Now() - timedelta(seconds=PATIENCE + 0.5))
        assert late.count() == number

    eventually(lambda: are_late(2), 20)
    both[0].send(signal.SIGCONT)
    eventually(lambda: are_late(1), 10)
    both[0].send(signal.SIGSTOP)  # it has had time to look, and has not judged
    assert Consumer.objects.filter(lost_at=None).count() == 2
    for each in both:
        each.send(signal.SIGCONT)
    waiters.let_go()
    eventually(nothing_is_left, 20)
    assert waiters.begun() == 2


def nothing_is_left():
    assert not CallQueue.objects.exists()
