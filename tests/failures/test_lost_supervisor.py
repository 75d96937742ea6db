"""A supervisor that is killed: its processes end by themselves, within the lease."""

import os
import signal

import pytest

from django_tpq.futures.models import CallQueue
from tests.failures.accidents import tasks
from tests.fixtures.process import is_alive


@pytest.mark.parametrize("is_running", [False, True], ids=["idle", "running"])
def test_its_processes_end_before_others_take_their_calls(executor, tmp_path, eventually, is_running):
    process = executor("-t", "2", "--processes", "2")
    notes, go = tmp_path / "notes", tmp_path / "go"
    if is_running:
        tasks.wait_for.delay_many([(str(notes), str(go))] * 4)

        def all_run():
            assert notes.exists()
            assert notes.read_text().count("waits") == 4

        eventually(all_run, 20)
    children = process.children()
    os.kill(process.process.pid, signal.SIGKILL)
    process.process.wait()

    def all_have_ended():
        assert not any(is_alive(child) for child in children)

    eventually(all_have_ended, 8)
    assert CallQueue.objects.filter(state="claimed").count() == (4 if is_running else 0)
    go.touch()


def test_what_ends_in_the_meantime_is_delivered(executor, tmp_path, eventually):
    process = executor("-t", "1")
    notes, go = tmp_path / "notes", tmp_path / "go"
    future = tasks.wait_for.delay(str(notes), str(go))

    def it_runs():
        assert notes.exists()

    eventually(it_runs, 20)
    (child,) = process.children()
    os.kill(process.process.pid, signal.SIGKILL)
    go.touch()
    assert future.result(wait=10) == 1

    def it_has_ended():
        assert not is_alive(child)

    eventually(it_has_ended, 8)
