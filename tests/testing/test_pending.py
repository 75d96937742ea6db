"""Calls run inside a test: on its connection, in its transaction, and all else as in an executor."""

import datetime

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, connections, transaction
from django.test import TestCase, TransactionTestCase

from django_tpq.futures import (
    CallCancelled,
    CallRolledBack,
    Future,
    NotCommitted,
    TaskFailed,
    as_completed,
    current_call,
    wait,
)
from django_tpq.futures.models import CallQueue, Result, Task
from django_tpq.futures.signals import task_finished
from django_tpq.testing import TaskTestMixin, run_pending
from tests.testapp import long_tasks, tasks


class TestInsideATestCase(TaskTestMixin, TestCase):
    """What holds in a transaction that is never committed."""

    def test_a_future_of_this_transaction_has_its_result(self):
        future = tasks.add.delay(1, 2)
        with self.assertRaisesMessage(NotCommitted, "run_pending()"):
            future.result()
        assert not future.is_done()
        (ran,) = run_pending()
        assert future.is_done()
        assert [future.result(), future.result(wait=0), future.result(wait=5), future.exception()] == [
            3,
            3,
            3,
            None,
        ]
        assert ran[:6] == (future.id, "tests.testapp.tasks.add", (1, 2), {}, 1, "returned")

    def test_a_cancelled_call_is_done_and_never_runs(self):
        future = tasks.add.delay(1, 2)
        assert future.cancel()
        assert run_pending() == []
        assert future.is_done()
        with pytest.raises(CallCancelled):
            future.result(wait=5)

    def test_a_replaced_call_is_done(self):
        replaced, future = tasks.refresh.delay(7), tasks.refresh.delay(7, source="second")
        assert replaced.is_done()
        with pytest.raises(CallCancelled, match="was replaced by"):
            replaced.result()
        run_pending()
        assert future.result() == "second"

    def test_a_unique_call_that_is_there_already_has_its_result_too(self):
        hourly = tasks.index.using(unique_for=3600)
        first, second = hourly.delay(1), hourly.delay(1)
        with pytest.raises(NotCommitted):
            second.result()
        run_pending()
        third = hourly.delay(1)
        assert [each.result() for each in (first, second, third)] == ["1:en"] * 3

    def test_a_future_that_is_found_by_its_id_has_it_too(self):
        future = Future.get(tasks.add.delay(1, 2).id)
        run_pending()
        assert future.result(wait=0) == 3

    def test_what_a_task_raises_is_raised_by_its_future(self):
        future = tasks.fail.delay("badly", code=7)
        (ran,) = run_pending()
        assert (ran.outcome, ran.kwargs, ran.exception.args) == ("raised", {"code": 7}, ("badly", 7))
        assert "tests.testapp.tasks.Trouble" in ran.error
        with pytest.raises(tasks.Trouble):
            future.result(wait=0)
        assert CallQueue.objects.get().state == "dead"

    def test_it_can_be_raised_at_once(self):
        future, later = tasks.fail.delay("badly"), tasks.add.delay(1, 2)
        with pytest.raises(tasks.Trouble, match="badly"):
            run_pending(raises=True)
        assert future.is_done()
        assert not later.is_done()

    def test_many_futures_can_be_waited_for(self):
        futures = tasks.add.delay_many([(1, n) for n in range(5)])
        run_pending()
        assert sorted(future.result() for future in as_completed(futures, wait=5)) == [1, 2, 3, 4, 5]
        assert wait(tasks.add.delay_many([]), wait=5) == (set(), set())
        seen = []
        futures[0].add_done_callback(seen.append)
        assert seen == [futures[0]]

    def test_a_future_that_has_not_ended_does_not_wait_in_vain(self):
        future = tasks.add.using(delay=60).delay(1, 2)
        assert run_pending() == []
        with pytest.raises(NotCommitted):
            future.result(wait=0)

    def test_a_call_that_was_rolled_back_never_runs(self):
        with transaction.atomic():
            future = tasks.add.delay(1, 2)
            transaction.set_rollback(True)
        assert run_pending() == []
        with pytest.raises(CallRolledBack):
            future.result()

    def test_it_may_run_in_a_block_of_the_tests_own(self):
        with transaction.atomic():
            future = tasks.add.delay(1, 2)
            run_pending()
            assert future.result() == 3
        assert future.result() == 3

    def test_the_error_of_a_statement_does_not_break_the_transaction(self):
        future = tasks.tag.delay("twice", times=2)
        (ran,) = run_pending()
        assert ran.outcome == "raised"
        assert "IntegrityError" in type(future.exception()).__name__ + str(future.exception())
        assert not Group.objects.filter(name="twice").exists()

    def test_what_a_task_has_written_before_it_failed_stays_written(self):
        tasks.tag_and_fail.delay("kept")
        run_pending()
        assert Group.objects.filter(name="kept").exists()

    def test_what_a_task_puts_off_until_its_commit_is_done_then(self):
        tasks.after_commit.delay("later")
        assert [ran.task.rpartition(".")[2] for ran in run_pending()] == ["after_commit", "tag"]
        assert Group.objects.filter(name="later").exists()

    def test_what_the_test_puts_off_itself_is_left_to_it(self):
        seen = []
        with self.captureOnCommitCallbacks(execute=True):
            transaction.on_commit(lambda: seen.append("mine"))
            tasks.after_commit.delay("later")
            run_pending()
            assert seen == []
        assert seen == ["mine"]
        assert Group.objects.filter(name="later").count() == 1

    def test_coroutines_run_too(self):
        future = tasks.add_async.delay(1, 2)
        run_pending()
        assert future.result() == 3

    def test_they_are_counted_and_told(self):
        told = []

        def note(sender, task, call, failed, **_):
            told.append((task, call, failed))

        task_finished.connect(note)
        self.addCleanup(task_finished.disconnect, note)
        future = tasks.fail.delay("x")
        run_pending()
        seen = Task.objects.get(name="tests.testapp.tasks.fail")
        assert (seen.total, seen.failures, seen.running) == (1, 1, 0)
        assert told == [("tests.testapp.tasks.fail", future.id, True)]

    def test_their_progress_is_told(self):
        future, silent = long_tasks.count.delay(3, 0), tasks.add.delay(1, 2)
        run_pending()
        seen = future.progress()
        assert (seen.done, seen.total, seen.text) == (3, 3, "number 3")
        assert silent.progress() is None

    def test_the_order_is_that_of_an_executor(self):
        for priority in (0, 5, -3):
            tasks.echo.using(priority=priority).delay(priority)
        assert [ran.args for ran in self.tpq.run_pending()] == [(5,), (0,), (-3,)]

    def test_attempts_at_once_run_at_once(self):
        future = tasks.stumble.delay(2)
        assert [(ran.outcome, ran.attempt) for ran in run_pending()] == [
            ("again", 1),
            ("again", 2),
            ("returned", 3),
        ]
        assert future.result() == 3

    def test_it_can_be_told_to_do_less(self):
        tasks.start_another.delay()
        mail = tasks.mail.delay("ada")
        assert [ran.outcome for ran in run_pending("default", until_empty=False)] == ["returned"]
        assert CallQueue.objects.count() == 1
        assert len(run_pending(limit=1)) == 1
        assert len(run_pending(limit=0)) == 0
        assert len(run_pending()) == 1
        assert mail.result() == "mail to ada"

    def test_a_task_that_never_ends_to_enqueue_itself_is_noticed(self):
        tasks.again_and_again.delay()
        with pytest.MonkeyPatch.context() as patch, self.assertRaisesMessage(RuntimeError, "again_and_again"):
            patch.setattr("django_tpq.testing.pending.MANY", 20)
            run_pending()
        assert len(run_pending(limit=3)) == 3

    def test_arguments_are_really_written_and_read(self):
        given = {"list": []}
        tasks.echo.delay(given)
        given["list"].append("too late")
        assert run_pending()[0].args == ({"list": []},)

    def test_what_nobody_signed_is_not_read(self):
        tasks.add.delay(1, 2)
        future = tasks.add.delay(1, 2)
        CallQueue.objects.update(payload=b"x" * 60)
        assert [ran.outcome for ran in run_pending()] == ["refused", "refused"]
        with pytest.raises(TaskFailed, match="signature"):
            future.result()

    def test_results_are_where_they_always_are(self):
        tasks.add.delay(1, 2)
        run_pending()
        assert Result.objects.count() == 1

    def test_without_a_call_nothing_runs(self):
        assert run_pending() == []
        assert not current_call()

    async def test_a_coroutine_gets_its_result(self):
        from asgiref.sync import sync_to_async

        future = await tasks.add.adelay(1, 2)
        await sync_to_async(run_pending)()
        assert await future == 3


class TestWithCommits(TransactionTestCase):
    """And where transactions are real."""

    def test_it_runs_what_is_committed(self):
        future = tasks.tag.delay("committed")
        (ran,) = run_pending()
        assert (ran.outcome, future.result(wait=0)) == ("returned", Group.objects.get().pk)
        assert not connection.in_atomic_block

    def test_an_error_of_a_task_leaves_nothing_open(self):
        tasks.tag.delay("twice", times=2)
        tasks.after_commit.delay("later")
        assert [ran.outcome for ran in run_pending()] == ["raised", "returned", "returned"]
        assert {group.name for group in Group.objects.all()} == {"twice", "later"}

    def test_a_result_may_go_to_a_cache(self):
        import tempfile

        backend = "django.core.cache.backends.filebased.FileBasedCache"
        with tempfile.TemporaryDirectory() as place:
            options = {"MAX_ENTRIES": 10_000}
            with self.settings(
                CACHES={"default": {"BACKEND": backend, "LOCATION": place, "OPTIONS": options}}
            ):
                future = tasks.add.delay(1, 2)
                run_pending()
                assert (future.result(wait=5), Result.objects.count()) == (3, 0)

    def test_a_lost_connection_of_a_task_is_none_of_ours(self):
        future = tasks.close_connection.delay()
        run_pending()
        assert future.result(wait=5) is None


class TestOtherDatabases(TaskTestMixin, TestCase):
    """Only `default` is this test's."""

    def test_queues_of_other_databases_are_left_alone(self):
        with self.settings(DATABASE_ROUTERS=["tests.testing.test_pending.MailElsewhere"]):
            future = tasks.add.delay(1, 2)
            assert len(run_pending()) == 1
            assert future.result() == 3


class TestTransactionsOfOtherDatabases(TaskTestMixin, TestCase):
    """Both databases are this test's."""

    databases = ("default", "other")

    def test_a_task_that_breaks_one_of_them_is_rolled_back_to_its_start_there(self):
        with connections["other"].cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE kept (name text)")
            cursor.execute("INSERT INTO kept VALUES ('of the test')")
        broken, after = tasks.break_other.delay(), tasks.add.delay(1, 2)
        assert [ran.outcome for ran in run_pending()] == ["raised", "returned"]
        assert isinstance(broken.exception(), DatabaseError)
        assert after.result() == 3
        with connections["other"].cursor() as cursor:
            cursor.execute("SELECT name FROM kept")
            assert cursor.fetchall() == [("of the test",)]


class MailElsewhere:
    """A router that sends one queue to another database."""

    def db_for_write(self, model, **_):
        return "other" if model._meta.model_name == "mailqueue" else None

    db_for_read = db_for_write


@pytest.mark.django_db
def test_a_call_with_a_delay_keeps_what_it_is():
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=1)
    tasks.add.using(run_after=moment).delay(1, 2)
    assert run_pending() == []
    assert CallQueue.objects.get().due_at == moment
