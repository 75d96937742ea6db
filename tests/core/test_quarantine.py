"""Suspects: while one is watched, the loop rests."""

import threading
import time

import pytest

from tests.fixtures.consumer import Notes
from tpq.message import encode
from tpq.quarantine import WATCH_FIRST, Quarantine

FEW = 200
"""Turns of a loop that rests, in two seconds, whoever wakes it: one that spins takes a thousand and more."""


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


def test_a_watch_that_is_over_wakes_nobody():
    quarantine = Quarantine()
    quarantine.watch(0, 1, 1)
    assert 0 < quarantine.rest <= WATCH_FIRST
    time.sleep(WATCH_FIRST)
    assert quarantine.rest == float("inf")
