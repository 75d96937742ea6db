"""Calls that run at once where they are made: TPQ_INLINE, and `inline()` of the kit."""

import subprocess
import sys
import threading

import pytest
from django.contrib.auth.models import Group
from django.core import checks
from django.db import connection, transaction
from django.test import SimpleTestCase, TestCase, TransactionTestCase, override_settings

from django_tpq.conf import settings
from django_tpq.futures import ExecutorLost, NotCommitted
from django_tpq.futures.models import CallQueue, Task
from django_tpq.futures.signals import task_enqueued, task_finished, task_started
from django_tpq.testing import inline, run_pending, simulate_crash
from tests.backend import work
from tests.fixtures.process import environment
from tests.testapp import tasks


@inline()
class TestInsideATestCase(TestCase):
    """In a transaction that is never committed a call runs at once, whatever blocks there are."""

    def test_the_result_is_there(self):
        future = tasks.add.delay(1, 2)
        assert (future.is_done(), future.result(), future.result(wait=0)) == (True, 3, 3)
        assert CallQueue.objects.count() == 0
        assert Task.objects.get().total == 1

    def test_within_a_block_too(self):
        with transaction.atomic():
            assert tasks.add.delay(1, 2).result() == 3

    def test_an_error_is_kept_for_the_future(self):
        future = tasks.tag.delay("twice", times=2)
        assert "IntegrityError" in repr(future.exception())
        assert not Group.objects.exists()

    def test_many_run_too(self):
        assert [future.result() for future in tasks.add.delay_many([(1, 1), (2, 2)])] == [2, 4]

    def test_what_a_task_enqueues_runs_inside_of_it(self):
        assert tasks.start_another.delay().result().result() == 3

    def test_attempts_at_once_run_and_those_for_later_wait(self):
        assert tasks.stumble.delay(2).result() == 3
        later, snoozed = tasks.stumble.using(backoff=60).delay(1), tasks.snooze.delay("/no/such/file")
        delayed = tasks.add.using(delay=60).delay(1, 2)
        assert [future.is_done() for future in (later, snoozed, delayed)] == [False] * 3
        assert CallQueue.objects.filter(state="waiting").count() == 3

    def test_other_calls_are_left_alone(self):
        with inline_off():
            first = tasks.add.delay(1, 2)
        assert tasks.add.delay(3, 4).result() == 7
        assert not first.is_done()
        assert len(run_pending()) == 1

    def test_it_can_raise_at_once(self):
        with inline(raises=True):
            with pytest.raises(tasks.Trouble, match="badly") as raised:
                tasks.fail.delay("badly")
            with pytest.raises(tasks.Trouble, match="0"):
                tasks.fail.delay_many([("0",), ("1",)])
            assert tasks.add.delay(1, 2).result() == 3
        assert "Remote traceback" in raised.value.__notes__[0]
        assert CallQueue.objects.filter(state="dead").count() == 3

    def test_signals_come_in_their_order(self):
        told, signals = [], {"enqueued": task_enqueued, "started": task_started, "finished": task_finished}
        notes = {name: lambda name=name, **_: told.append(name) for name in signals}
        for name, signal in signals.items():
            signal.connect(notes[name])
            self.addCleanup(signal.disconnect, notes[name])
        tasks.add.delay(1, 2)
        assert told == ["enqueued", "started", "finished"]

    def test_a_crash_is_followed_by_the_next_delivery(self):
        with simulate_crash(tasks.add, times=2):
            assert tasks.add.delay(1, 2).result() == 3

    def test_after_the_last_crash_the_call_is_lost(self):
        with inline(raises=True), simulate_crash(tasks.add, times=3), pytest.raises(ExecutorLost):
            tasks.add.delay(1, 2)
        assert CallQueue.objects.get().deliveries == 3

    def test_a_unique_call_that_waits_already_is_run(self):
        with inline_off():
            first = tasks.index.delay(7)
        second = tasks.index.delay(7)
        assert first == second
        assert second.result() == "7:en"

    def test_djangos_tasks_run_at_once(self):
        result = work.add.enqueue(1, 2)
        result.refresh()
        assert (result.status.name, result.return_value) == ("SUCCESSFUL", 3)
        (second,) = work.add.get_backend().enqueue_all([(work.add, [3, 4], {})])
        second.refresh()
        assert second.return_value == 7


class TestWithCommits(TransactionTestCase):
    """In a transaction that is committed it runs after the commit, as it would elsewhere."""

    @inline()
    def test_without_a_transaction_it_runs_at_once(self):
        future = tasks.tag.delay("at once")
        assert future.result(wait=0) == Group.objects.get().pk
        assert not connection.in_atomic_block

    @inline()
    def test_it_runs_after_the_commit(self):
        with transaction.atomic():
            future = tasks.tag.delay("later")
            with pytest.raises(NotCommitted):
                future.result()
            assert not Group.objects.exists()
        assert future.result() == Group.objects.get().pk

    @inline()
    def test_and_never_after_a_rollback(self):
        with transaction.atomic():
            tasks.tag.delay("never")
            transaction.set_rollback(True)
        assert (Group.objects.count(), CallQueue.objects.count()) == (0, 0)

    @inline()
    def test_a_call_that_runs_here_is_nobody_elses(self):
        states = []
        tasks.look.probe = lambda: states.append(CallQueue.objects.values_list("state", "claimed_by").get())
        try:
            tasks.look.delay()
        finally:
            del tasks.look.probe
        assert states == [("claimed", 0)]

    @inline(raises=True)
    def test_ctrl_c_ends_the_caller_too(self):
        with pytest.raises(KeyboardInterrupt):
            tasks.interrupt.delay()
        assert CallQueue.objects.get().state == "dead"

    @inline()
    def test_other_threads_run_theirs(self):
        done = []

        def call():
            done.append(tasks.add.delay(1, 2).result())
            connection.close()

        thread = threading.Thread(target=call)
        thread.start()
        thread.join(30)
        assert done == [3]


def inline_off():
    """As without the setting, for a block."""
    return override_settings(TPQ_INLINE=False)


class TestTheSetting(SimpleTestCase):
    """What checks say of it."""

    def ids(self, **values):
        with override_settings(**values):
            return {found.id for found in checks.run_checks(include_deployment_checks=True)}

    def test_deploy_warns_of_it(self):
        assert "tpq_futures.W005" not in self.ids()
        assert "tpq_futures.W005" in self.ids(TPQ_INLINE=True)
        with override_settings(TPQ_INLINE=True):
            assert "tpq_futures.W005" not in {found.id for found in checks.run_checks()}

    def test_nonsense_is_an_error(self):
        assert "tpq_futures.E008" in self.ids(TPQ_INLINE="yes")
        assert "tpq_futures.E008" not in self.ids(TPQ_INLINE="raise")

    def test_it_is_off_again_behind_the_block(self):
        with inline():
            assert settings.INLINE is True
        assert settings.INLINE is False


SHELL = """
from tests.testapp import tasks
f = tasks.add.delay(1, 2)
print("result", f.result())
print("error", repr(tasks.fail.delay("x").exception()))
"""


def test_in_a_shell_without_an_executor(transactional_db, tmp_path):
    (tmp_path / "shell_settings.py").write_text("from tests.settings import *\nTPQ_INLINE = True\n")
    given = environment(
        DJANGO_SETTINGS_MODULE="shell_settings", PYTHONPATH=f"{tmp_path}:{':'.join(sys.path)}"
    )
    command = [sys.executable, "-m", "django", "shell", "-c", SHELL]
    done = subprocess.run(command, env=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "result 3\nerror Trouble('x', 1)\n" in done.stdout
