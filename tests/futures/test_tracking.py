"""Progress bars: what they count and say, where they are drawn, and what waiting with one costs."""

import asyncio
import io
import sys
from collections import Counter

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from django_tpq.futures import CallRolledBack, ResultTimeout, as_completed, track, tracking
from django_tpq.futures.models import Progress
from tests.testapp import long_tasks, tasks
from tpq.prepared import Statements


class Terminal(io.StringIO):
    """Where a bar is drawn."""

    def isatty(self):
        return True

    @property
    def last(self):
        """The bar as it stands in the end."""
        return self.getvalue().rstrip().rpartition("\r")[2]


@pytest.fixture
def terminal():
    return Terminal()


def test_it_counts_what_has_ended_and_what_has_failed(by_hand, terminal):
    futures = [
        *tasks.add.delay_many([(number, 1) for number in range(8)]),
        tasks.fail.delay("a"),
        tasks.fail.delay("b"),
    ]
    by_hand.work()
    ended = list(track(futures, 20, desc="pages", file=terminal))
    assert sorted(ended, key=futures.index) == futures
    assert terminal.last.startswith("pages: 100%")
    assert "10/10" in terminal.last
    assert terminal.last.endswith("call/s, failed=2]")


def test_a_coroutine_has_one_too(by_hand, terminal):
    futures = tasks.add.delay_many([(number, 1) for number in range(5)])
    by_hand.work()

    async def collect():
        return [await future async for future in track(futures, 20, file=terminal)]

    assert sorted(asyncio.run(collect())) == [1, 2, 3, 4, 5]
    assert "5/5" in terminal.last
    assert "failed" not in terminal.last


def test_nothing_is_drawn_where_nobody_looks(by_hand, capsys):
    futures = tasks.add.delay_many([(1, 1), (2, 2)])
    by_hand.work()
    assert len(list(track(futures, 20))) == len(list(track(futures[0], 20))) + 1 == 2
    assert capsys.readouterr() == ("", "")
    assert len(list(track(futures, 20, disable=False))) == 2
    assert "2/2" in capsys.readouterr().err


def test_a_time_that_is_over_is_told_and_ends_the_bar(by_hand, terminal):
    done, late = tasks.add.delay(1, 2), tasks.add.delay(1, 2)
    by_hand.settle(*by_hand.run(*by_hand.claim(count=1)))
    with pytest.raises(ResultTimeout, match="1 of 2 calls have not ended yet"):
        list(track([done, late], 0.3, file=terminal, leave=False))
    assert terminal.getvalue().split("\r")[-2].isspace()  # wiped away
    with pytest.raises(ResultTimeout):
        list(track(late, 0.3, file=terminal))


def test_a_result_that_can_not_be_had_counts_as_failed(by_hand, terminal, monkeypatch):
    monkeypatch.setattr("django_tpq.futures.lookup.GRACE", 0)
    future = tasks.add.using(result_ttl=0).delay(1, 2)
    by_hand.work()
    assert list(track([future], 20, file=terminal)) == [future]
    assert "failed=1" in terminal.last


def test_a_single_one_says_how_far_it_has_come(executor, terminal):
    executor("-t", "1")
    future = long_tasks.count.delay(40, 3)
    assert [ended.exception() for ended in track(future, 60, desc="count", file=terminal)] == [None]
    seen = terminal.getvalue()
    assert "/40 " in seen
    assert "number " in seen
    assert terminal.last.startswith("count: 100%")
    assert "40/40" in terminal.last


def test_a_single_one_that_says_no_total_or_nothing(by_hand, terminal, monkeypatch):
    monkeypatch.setattr(tracking, "PAUSE", 0.01)
    future = tasks.add.delay(1, 2)
    (call,) = by_hand.claim()
    Progress.objects.create(token=call.token, done=7.5, text="at it", at=timezone.now())

    def work(seen):
        if "7.5it" in seen and not future.is_done():
            by_hand.settle(*by_hand.run(call))

    monkeypatch.setattr(terminal, "write", lambda text: io.StringIO.write(terminal, text) and work(text))
    assert [each.result() for each in track(future, 30, file=terminal)] == [3]
    assert "at it" in terminal.getvalue()

    monkeypatch.undo()
    quiet = tasks.fail.delay("text")
    by_hand.work()
    assert list(track(quiet, 20, file=terminal)) == [quiet]
    assert "failed=1" in terminal.last


def test_an_absent_database_ends_no_bar(by_hand, terminal, monkeypatch):
    monkeypatch.setattr(tracking, "PAUSE", 0.01)
    asked = []

    def progress(future):
        asked.append(future)
        if len(asked) == 1:
            raise tracking.DatabaseError("away")
        by_hand.work()

    monkeypatch.setattr(tracking.Future, "progress", progress)
    future = tasks.add.delay(1, 2)
    assert [each.result() for each in track(future, 30, file=terminal)] == [3]
    assert len(asked) > 1


def test_what_never_was_can_not_be_tracked(transactional_db, terminal):
    with transaction.atomic():
        future = tasks.add.delay(1, 2)
        transaction.set_rollback(True)
    with pytest.raises(CallRolledBack):
        list(track(future, file=terminal))


def test_without_tqdm_it_says_what_to_install(transactional_db, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'django-tpq\[progress\]'"):
        track([])


# What it costs --------------------------------------------------------------------------------------------


@pytest.fixture
def counts(monkeypatch):
    """What this process sends, and the connections that it opens."""
    counts = Counter()

    def counted(owner, name, key):
        method = getattr(owner, name)

        def counting(*args, **kwargs):
            counts[key] += 1
            return method(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    counted(psycopg.Cursor, "execute", "statements")
    counted(Statements, "_run", "statements")
    counted(psycopg.Connection, "__init__", "connections")
    return counts


@pytest.mark.parametrize(
    "waiting", [as_completed, lambda *args: track(*args, file=Terminal())], ids=["bare", "bar"]
)
def test_ten_thousand_cost_one_listener_and_a_few_looks(executor, counts, waiting):
    futures = tasks.add.delay_many([(number, 1) for number in range(10_000)])
    executor("-t", "4")
    counts.clear()
    assert len({ended.id for ended in waiting(futures, 100)}) == 10_000
    assert counts["connections"] == 2  # one listens, one looks
    assert counts["statements"] <= 200  # 56, and 40 with the bar, when this was written
