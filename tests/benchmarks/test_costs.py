"""What a task costs, counted: statements, round trips, commits and WAL do not depend on the machine's mood.

The limits are what was counted when they were set, and a little more. Whoever has a reason to raise one says it in
docs/performance.md.
"""

import time
from collections import Counter

import psycopg
import pytest
from django.db import connection

from django_tpq.futures.executor import Executor
from django_tpq.futures.places import Places
from django_tpq.main.connections import connect
from tests.testapp import tasks
from tests.testapp.models import PlainQueue
from tpq import prepared
from tpq.board import Board
from tpq.own import _OwnStatements
from tpq.prepared import Statements

pytestmark = pytest.mark.usefixtures("own_server")  # one that writes for nobody else

THOUSAND = 1000
RUN = 5 * THOUSAND
THREADS = 4
TRANSACTION = ("BEGIN", "COMMIT")
"""psycopg's own transactions send these past its cursors, where nobody counts them; what they cost, the trips say."""


@pytest.fixture
def costs(own_server, monkeypatch):
    """Count what a function sends, and what the server does meanwhile; it is done a first time to warm up."""
    counts = Counter()

    def counted(owner, name, key):
        method = getattr(owner, name)

        def counting(*args, **kwargs):
            counts[key] += not str(args[1]).startswith(TRANSACTION)
            return method(*args, **kwargs)

        monkeypatch.setattr(owner, name, counting)

    def costs(function):
        base = looking()
        function()
        before = server()
        counts.clear()
        function()
        sent = dict(counts)
        connection.close()  # the server hears of its commits then
        after = server()
        return sent | {name: after[name] - before[name] - base[name] for name in after}

    PlainQueue.objects.all().delete()
    monkeypatch.setattr(prepared, "SLOW", 60)  # on a busy machine more is slow, and planned anew
    counted(psycopg.Cursor, "execute", "statements")
    counted(Statements, "_run", "statements")
    counted(psycopg.Connection, "wait", "trips")
    counted(_OwnStatements, "_ask", "trips")
    return costs


def server():
    """What the server has counted. A backend that has ended tells it within moments."""
    time.sleep(0.3)
    return look()


def looking():
    """What it costs to look, and to have closed a connection."""
    connection.close()
    before, after = server(), server()
    return {name: after[name] - before[name] for name in after}


def look():
    query = """
        SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint,
               (SELECT xact_commit FROM pg_stat_database WHERE datname = current_database())
    """
    names = {"host", "port", "dbname", "user", "password"}
    parameters = {k: v for k, v in connection.get_connection_params().items() if k in names}
    with psycopg.connect(**parameters, autocommit=True) as watcher:
        wal, commits = watcher.execute(query).fetchone()
    return {"wal": wal, "commits": commits}


def work():
    """Run all calls that wait, as an executor's process does."""
    board = Board.create(THREADS + 2, apart=1)
    with connect("default") as own:
        (board.consumer,) = own.execute(
            "INSERT INTO tpq_consumer (host, pid, version, queues) VALUES ('', 0, '', '{}') RETURNING id"
        ).fetchone()
    board.beaten(time.monotonic() + 3600)
    assert Executor(
        alias="default", names=["default"], places=Places(THREADS, 1, 1), board=board, drain=True, limit=None
    ).run()
    board.close()


def run(task):
    task.delay_many([(i, 1) for i in range(RUN)])
    work()


LIMITS = {
    "one call": (lambda: tasks.add.delay(1, 2), {"statements": 1, "trips": 1, "wal": 550}),
    "1,000 calls": (
        lambda: tasks.add.delay_many([(i, 1) for i in range(THOUSAND)]),
        {"statements": 1, "trips": 11, "wal": 350_000},
    ),
    "one message": (
        lambda: PlainQueue.objects.enqueue({"a": 1}),
        {"statements": 1, "trips": 1, "wal": 450},
    ),
    "1,000 messages": (
        lambda: PlainQueue.objects.enqueue_many([{"a": 1}] * THOUSAND),
        {"statements": 1, "trips": 5, "wal": 270_000},
    ),
    "taking one": (PlainQueue.objects.dequeue, {"statements": 1, "trips": 1, "wal": 350}),
    "taking 500": (
        lambda: PlainQueue.objects.dequeue_many(500),
        {"statements": 1, "trips": 1, "wal": 62_000},
    ),
}
"""What is done, and what it may send and write."""


@pytest.mark.parametrize("name", LIMITS)
def test_the_doors_cost_no_more_than_they_did(costs, name):
    PlainQueue.objects.enqueue_many([{"a": 1}] * 2 * THOUSAND)
    function, limits = LIMITS[name]
    assert not exceeded(costs(function), limits)


@pytest.mark.parametrize(
    ("ttl", "limits"),
    [
        (0, {"statements": 16, "trips": 28, "commits": 20, "wal": 960_000}),
        (None, {"statements": 24, "trips": 48, "commits": 24, "wal": 1_290_000}),
    ],
    ids=["no results", "results in PostgreSQL"],
)
def test_a_thousand_tasks_cost_no_more_than_they_did(costs, settings, ttl, limits):
    """Enqueued, run and settled: the bars are 50 commits and 1,200,000 bytes without the results."""
    settings.TPQ_RESULT_STORE = "django_tpq.futures.results.DatabaseResults"
    spent = costs(lambda: run(tasks.add.using(result_ttl=ttl)))
    assert not exceeded({name: value * THOUSAND / RUN for name, value in spent.items()}, limits)


def exceeded(spent, limits):
    """What is beyond its limit: what was counted, and the limit."""
    return {name: (spent[name], limit) for name, limit in limits.items() if spent[name] > limit}
