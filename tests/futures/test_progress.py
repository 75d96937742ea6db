"""How far a call has come, seen while it runs, though its own transaction is open."""

from datetime import timedelta

import psycopg
import pytest
from django.utils import timezone

from django_tpq.conf import settings
from django_tpq.futures import current_call
from django_tpq.futures.context import Progress
from django_tpq.futures.models import Progress as rows
from django_tpq.futures.reports import Reports
from django_tpq.main.connections import connect
from tests.testapp import long_tasks as tasks


@pytest.mark.parametrize("task", [tasks.count, tasks.count_in_process], ids=["thread", "process, atomic"])
def test_it_is_seen_while_the_call_runs_and_afterwards(executor, eventually, task):
    executor("-t", "1", "--workers", "1")
    call = task.delay(50, 3)

    def is_under_way():
        seen = call.progress()
        assert seen is not None
        assert 0 < seen.done < 50
        assert seen.total == 50
        assert 0 < seen.fraction < 1
        assert not call.is_done()

    eventually(is_under_way, 20)
    call.result(wait=20)

    def is_complete():
        assert call.progress().done == 50

    eventually(is_complete, 5)


def test_however_often_it_is_said_it_is_written_twice_a_second(transactional_db, by_hand, monkeypatch):
    reports = Reports()
    for _ in range(2):
        tasks.in_thread.delay()
    calls = by_hand.claim()
    assert not reports.is_due
    for number in range(10_000):
        reports.take(calls[number % 2], Progress(number, 20_000, f"number {number}"))
    assert reports.is_due
    reports.flush(by_hand.connection)
    assert sorted(rows.objects.values_list("done", flat=True)) == [9998, 9999]
    reports.take(calls[0], Progress(10_000, None, "x" * 5000))
    assert not reports.is_due
    monkeypatch.setattr("django_tpq.futures.reports.PAUSE", 0.0)
    assert reports.is_due
    reports.flush(by_hand.connection)
    row = rows.objects.get(done=10_000)
    assert (row.total, len(row.text)) == (None, 1000)


def test_what_could_not_be_written_is_kept_unless_there_is_newer(transactional_db, by_hand):
    reports = Reports()
    tasks.in_thread.delay()
    (call,) = by_hand.claim()
    reports.take(call, Progress(1, 2, ""))
    with connect("default") as closed:
        closed.close()
        with pytest.raises(psycopg.Error):
            reports.flush(closed)
    reports.flush(by_hand.connection)
    assert rows.objects.get().done == 1


def test_old_ones_go(transactional_db, by_hand):
    rows.objects.create(
        token="old", done=1, text="", at=timezone.now() - timedelta(seconds=settings.RESULT_TTL + 9)
    )
    rows.objects.create(token="new", done=1, text="", at=timezone.now())
    assert Reports().purge(by_hand.connection, 100) == 1
    assert rows.objects.get().token == "new"


@pytest.mark.django_db
def test_who_has_said_nothing_has_none():
    assert tasks.in_thread.delay().progress() is None
    assert not current_call()
