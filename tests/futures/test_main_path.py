"""A call there and back, by real executor processes."""

import asyncio
import pickle
import threading
import time

import pytest
from asgiref.sync import async_to_sync
from django.db import connections, transaction

from django_tpq.futures import CallRolledBack, ExecutorLost, Future, NotCommitted, ResultTimeout, TaskFailed
from django_tpq.futures.models import CallQueue, Task
from tests.testapp import tasks


@pytest.fixture
def running(executor):
    return executor("-t", "8")


def test_results_and_errors_come_back(running):
    assert tasks.add.delay(1, 2).result(wait=20) == 3
    assert tasks.echo.delay(1, a=[2]).result(wait=20) == ((1,), {"a": [2]})
    assert tasks.add_async.delay(1, 2).result(wait=20) == 3
    assert tasks.mail.delay("ada").result(wait=20) == "mail to ada"
    with pytest.raises(tasks.Trouble) as raised:
        tasks.fail.delay("boo", 3).result(wait=20)
    assert raised.value.args == ("boo", 3)
    assert "raise Trouble(text, code)" in raised.value.__notes__[0]
    with pytest.raises(TaskFailed, match="Stubborn"):
        tasks.fail_stubbornly.delay().result(wait=20)
    with pytest.raises(TypeError, match="result"):
        tasks.return_a_lambda.delay().result(wait=20)


def test_a_future_is_found_again_from_its_id_and_from_a_pickle(running):
    future = tasks.add.delay(2, 2)
    assert len(future.id) < 64
    assert Future.get(future.id).result(wait=20) == 4
    assert pickle.loads(pickle.dumps(future)).result() == 4
    assert future.is_done()


def test_a_thousand_futures_are_awaited_in_one_loop_with_their_producer(running):
    async def produce_and_await():
        futures = [await tasks.add.adelay(i, i) for i in range(20)]
        futures += await tasks.add.adelay_many([(i, i) for i in range(20, 1000)])
        return await asyncio.gather(*futures)

    assert async_to_sync(produce_and_await)() == [2 * i for i in range(1000)]


def test_statistics_are_right_after_concurrency(running):
    futures = tasks.nothing.delay_many([()] * 2000) + tasks.fail.delay_many([("x",)] * 50)
    for future in futures:
        future.exception(wait=60)
    deadline = time.monotonic() + 5
    expected = {"tests.testapp.tasks.nothing": (2000, 0, 0), "tests.testapp.tasks.fail": (50, 50, 0)}
    found = {}
    while found != expected and time.monotonic() < deadline:
        rows = Task.objects.filter(name__in=expected)
        found = {t.name: (t.total, t.failures, t.running) for t in rows}
        time.sleep(0.05)
    assert found == expected


@pytest.mark.django_db(transaction=True)
def test_a_result_is_not_waited_for_in_the_transaction_that_made_the_call():
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        assert not future.is_done()
        with pytest.raises(NotCommitted):
            future.result(wait=0)
        transaction.set_rollback(True)
    with pytest.raises(CallRolledBack):
        future.result(wait=0)
    assert future.is_done()


@pytest.mark.django_db(transaction=True)
def test_a_result_that_is_not_there_is_a_timeout():
    future = tasks.add.delay(1, 2)
    with pytest.raises(ResultTimeout):
        future.result()
    with pytest.raises(TimeoutError):
        future.result(wait=0.05)


@pytest.mark.django_db(transaction=True)
def test_another_thread_waits_for_the_commit(executor):
    answers = []

    def wait():
        answers.append(future.result(wait=30))
        connections.close_all()

    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        thread = threading.Thread(target=wait)
        thread.start()
    executor("--once")
    thread.join(30)
    assert answers == [3]


def test_a_killed_executors_calls_run_again_within_fifteen_seconds_and_first(executor, tmp_path):
    first, notes = executor("-t", "4"), tmp_path / "notes"
    notes.touch()
    tasks.note.delay_many([(str(notes), f"first {i}", 60) for i in range(4)])
    _until(lambda: len(notes.read_text().splitlines()) == 4, 20)
    tasks.note.delay_many([(str(notes), "behind", 0.2)] * 1000)
    first.kill()
    killed_at = time.monotonic()
    second = executor("-t", "6")
    _until(lambda: notes.read_text().count("first") == 8, 20)
    assert time.monotonic() - killed_at < 15
    lines = notes.read_text().splitlines()[4:]
    again = [place for place, line in enumerate(lines) if line != "behind"]
    assert {lines[place] for place in again} == {f"first {i}" for i in range(4)}
    # Each is watched for a moment: what is behind it and was not claimed before has to wait for them all.
    assert again[-1] - again[0] < 12
    second.kill()
    CallQueue.objects.all().delete()


def test_one_poison_call_among_a_thousand_ends_as_the_only_dead_letter(executor, tmp_path):
    notes = tmp_path / "notes"
    futures = tasks.nothing.delay_many([()] * 500)
    poison = tasks.poison.delay(str(notes))
    futures += tasks.nothing.delay_many([()] * 499)
    executor("-t", "16")
    for future in futures:
        assert future.result(wait=60) is None
    with pytest.raises(ExecutorLost):
        poison.result(wait=60)
    assert notes.read_text() == "poison\n" * 3
    assert CallQueue.objects.count(state="dead") == 1


def test_a_stopped_executor_gives_back_what_has_not_begun(executor, tmp_path):
    process, notes = executor("-t", "2", "--grace", "10"), tmp_path / "notes"
    notes.touch()
    for i in range(6):
        tasks.note.delay(str(notes), str(i), 1.5)
    _until(lambda: len(notes.read_text().splitlines()) == 2, 20)
    assert process.stop() == 0
    assert sorted(notes.read_text().splitlines()) == ["0", "1"]
    assert CallQueue.objects.count() == 4
    executor("-t", "1", "--once").process.wait(timeout=60)
    assert notes.read_text().splitlines()[2:] == ["2", "3", "4", "5"]


def test_a_changed_payload_is_refused_and_buried(executor):
    tasks.add.delay(1, 1)
    future = tasks.add.delay(1, 2)
    row = CallQueue.objects.get(token=future._call.token)
    CallQueue.objects.filter(pk=row.pk).update(payload=bytes(row.payload)[:-1] + b"\0")
    executor("-t", "1")
    with pytest.raises(TaskFailed, match="signature"):
        future.result(wait=30)
    assert CallQueue.objects.get(pk=row.pk).state == "dead"


def _until(is_so, seconds):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)
