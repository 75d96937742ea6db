"""A supervisor that is killed: its processes end by themselves, within the lease."""

import os
import signal

import pytest

from django_tpq.futures.models import CallQueue
from tests.fixtures.process import is_alive


@pytest.mark.parametrize("is_running", [False, True], ids=["idle", "running"])
def test_its_processes_end_before_others_take_their_calls(executor, waiters, eventually, is_running):
    process = executor("-t", "2", "--processes", "2")
    if is_running:
        waiters.call(4)
        waiters.have_begun(4)
    children = process.children()
    os.kill(process.process.pid, signal.SIGKILL)
    process.process.wait()

    def all_have_ended():
        assert not any(is_alive(child) for child in children)

    eventually(all_have_ended, 8)
    assert CallQueue.objects.filter(state="claimed").count() == (4 if is_running else 0)


def test_what_ends_in_the_meantime_is_delivered(executor, waiters, eventually):
    process = executor("-t", "1")
    (future,) = waiters.call(1)
    waiters.have_begun(1)
    (child,) = process.children()
    os.kill(process.process.pid, signal.SIGKILL)
    waiters.let_go()
    assert future.result(wait=10) == 1

    def it_has_ended():
        assert not is_alive(child)

    eventually(it_has_ended, 8)
