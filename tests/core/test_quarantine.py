"""Suspects: while one is watched, the loop rests, and what runs in processes of its own goes on."""

import threading
import time

import pytest

from tests.fixtures.consumer import Notes
from tpq.lanes import Lanes
from tpq.message import encode
from tpq.quarantine import WATCH_FIRST, Quarantine

FEW = 200
"""Turns of a loop that rests, in two seconds, whoever wakes it: one that spins takes a thousand and more."""
APART = 2
"""The lane of what runs in processes of its own."""


class Aside:
    """What runs a lane; its messages end at once."""

    capacity = 1
    is_wanted = True

    def __init__(self):
        self.bodies = []

    def start(self, message, done):
        self.bodies.append(message.body)
        done(True)

    def close(self):
        pass


@pytest.fixture
def turns(monkeypatch):
    """The moments of a loop's turns."""
    moments = []

    def tick(self, connection, *, idle):
        moments.append(time.monotonic())
        return float("inf")

    monkeypatch.setattr(Notes, "tick", tick)
    return moments


@pytest.fixture
def suspect(conn, table, consume, eventually):
    """A loop that runs a suspect of so many lost deliveries, until the test ends."""
    release = threading.Event()

    def suspect(deliveries, **options):
        table.put({"body": encode("suspect")})
        conn.execute(f"UPDATE {table.name} SET deliveries = %s", [deliveries])
        loop = consume(run=lambda body: release.wait(30) if body == "suspect" else None, **options)

        def runs():
            assert loop.bodies[:1] == ["suspect"]

        eventually(runs)
        return loop

    yield suspect
    release.set()


@pytest.mark.parametrize("deliveries", [1, 2])
def test_a_loop_rests_while_a_suspect_runs(suspect, turns, deliveries):
    suspect(deliveries)
    time.sleep(2.5)
    assert len(turns) < FEW


def test_others_wait_while_one_is_watched(suspect, put, have_run):
    loop = suspect(2)
    put("other")
    time.sleep(1.5)
    assert loop.bodies == ["suspect"]


def test_what_runs_in_a_process_of_its_own_does_not_wait_for_suspects(suspect, table, eventually):
    aside = Aside()
    lane_of = lambda message: APART if message.body == "apart" else 0  # noqa: E731
    suspect(2, lanes=Lanes(2, {APART: aside}, lane_of))
    table.put({"body": encode("apart"), "lane": APART})

    def ran():
        assert aside.bodies == ["apart"]

    eventually(ran, 5)


def test_a_watch_that_is_over_wakes_nobody():
    quarantine = Quarantine()
    quarantine.watch(0, 1, 1)
    assert 0 < quarantine.rest <= WATCH_FIRST
    time.sleep(WATCH_FIRST)
    assert quarantine.rest == float("inf")
