"""The claim loop of one process."""

import threading
import time
from datetime import timedelta

import pytest

from tests.fixtures.consumer import exchange_of_messages
from tpq import schema
from tpq.message import encode

NEVER = 3600.0


class Busy:
    """A queue's table. When it is told to, a message comes just after the next look of one kind, and rings."""

    def __init__(self, verb):
        self._verb = verb
        self.loop = None

    def __call__(self, name, cursor):
        self._table = exchange_of_messages(name, cursor)
        return self

    def __getattr__(self, name):
        found = getattr(self._table, name)
        return self._looked if name == self._verb else found

    def _looked(self, *arguments, **options):
        rows = getattr(self._table, self._verb)(*arguments, **options)
        loop, self.loop = self.loop, None
        if loop is not None:
            self._table.put({"body": encode("late")})
            loop.consumer.rung("")
        return rows


@pytest.fixture
def idle(consume, put, eventually, monkeypatch):
    """Start a consumer that sweeps with each look, and looks but for a bell once a minute; it has come to rest."""
    monkeypatch.setattr("tpq.floors.SHARE", 1e-9)
    monkeypatch.setattr("tpq.agenda.TICK", 60.0)
    monkeypatch.setattr("tpq.consumer.POLL_BEHIND_BELL", 60.0)

    def idle(table):
        loop = consume(of=table, bell_works=True)
        put("first")
        loop.consumer.rung("")

        def rests():
            assert loop.bodies == ["first"]
            assert loop.consumer._has_nothing_left

        eventually(rests)
        return loop

    return idle


def test_a_bell_that_rings_during_a_claim_is_not_forgotten(idle, eventually):
    busy = Busy("claim")
    loop = busy.loop = idle(busy)
    loop.consumer.rung("")
    eventually(lambda: ran(loop), 2)


def test_a_bell_that_rings_during_a_look_for_what_is_due_is_not_forgotten(
    connect, table, put, idle, eventually
):
    with connect() as other, other.transaction():
        put(delay=timedelta(seconds=0.2))
        other.execute(f"SELECT FROM {table.name} FOR UPDATE")  # it falls due, and nobody can bring it back
        busy = Busy("promote")
        loop = busy.loop = idle(busy)
        eventually(lambda: ran(loop), 2)


def ran(loop):
    assert loop.bodies == ["first", "late"]


# Draining -------------------------------------------------------------------------------------------------


def test_a_drain_does_not_end_before_what_lies_below_the_floors_is_run(
    connect, put, table_on, consume, sweep_every, rises
):
    sweep_every(NEVER)
    other, go = connect(), threading.Event()
    with other.transaction():
        table_on(other).put_many(['"late 0"', '"late 1"'], 0, None)
        put("last")
        loop = consume(drain=True, run=lambda body: body != "last" or go.wait(20))
        rises(loop)
    go.set()
    loop.thread.join(20)
    assert (sorted(loop.bodies), loop.thread.is_alive()) == (["last", "late 0", "late 1"], False)


@pytest.fixture
def second_queue(conn, table_name):
    """The name of one more queue."""
    name = f"{table_name}_second"
    schema.create(name, conn.cursor)
    yield name
    schema.drop(name, conn.cursor)


def test_a_drain_of_two_queues_ends_though_they_are_swept_at_different_times(
    table, second_queue, consume, sweep_every, monkeypatch
):
    sweep_every(1.5)
    monkeypatch.setattr("tpq.consumer.in_turn", range)
    table.put_many(["0", "1", "2"], 0, None)
    loop = consume(table.name, second_queue, drain=True, threads=1, run=lambda _: time.sleep(0.3))
    loop.thread.join(6)
    assert (loop.bodies, loop.thread.is_alive()) == ([0, 1, 2], False)
