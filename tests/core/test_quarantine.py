"""Suspects: who starts with whom, how long they are watched, who waits meanwhile, and who is to blame."""

import threading
import time
from types import SimpleNamespace

import pytest

from tests.fixtures.consumer import Notes
from tpq import quarantine as module
from tpq.board import Board
from tpq.buffer import Item
from tpq.lanes import Lanes
from tpq.message import encode
from tpq.quarantine import MOST, PATIENCE, WATCH_CAREFULLY, WATCH_FIRST, WATCH_LATER, Quarantine

FEW = 200
"""Turns of a loop that rests, in two seconds, whoever wakes it: one that spins takes a thousand and more."""
LOOP = 1
"""The number of a lane beside the threads that shares their process."""


class Ward:
    """A quarantine with its lanes, its page and its clock."""

    def __init__(self, table, clock, threads=64, limit=None, *, care=0):
        self.board = Board.create(threads + 1000)
        self.board.be_careful(care)
        self.lanes = Lanes(threads, {LOOP: SimpleNamespace(capacity=1000, is_wanted=True)}, _lane_of, limit)
        self.quarantine = Quarantine(self.board, self.lanes)
        self.tables, self.clock = [table], clock
        self.quarantine.sight(self.tables)

    def turn(self):
        """The next messages, which begin at once."""
        index, messages = self.quarantine.claim(1, self.tables)
        self.lanes.take(index, messages)
        for slot, item in enumerate(item for lane in self.lanes.all for item in lane.buffer.take_all()):
            self.board.begin(slot, item.table, item.message.id, b"", item.message.deliveries)
        return messages

    def turns(self, count):
        """How many began in each of the next turns, with a long pause after each."""
        counts = []
        for _ in range(count):
            counts.append(len(self.turn()))
            self.clock.now += WATCH_LATER
        return counts

    def end(self, messages):
        """They have ended."""
        self.quarantine.have_ended((0, message.id) for message in messages)
        self.lanes.hand.let_go(Item(0, message, 0, 0.0, _lane_of(message)) for message in messages)

    @property
    def closed(self):
        """The numbers of the lanes that wait for suspects."""
        return [lane.number for lane in self.lanes.all if lane.is_closed]


def _lane_of(message):
    return message.body["lane"]


@pytest.fixture
def clock(monkeypatch):
    """The quarantine's clock: it stands still until its `now` is moved."""
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.fixture
def put_suspects(put):
    """Put messages as lost runs leave them."""

    def put_suspects(count, deliveries=1, lane=0):
        for _ in range(count):
            put({"lane": lane}, deliveries=deliveries, lane=lane)

    return put_suspects


@pytest.fixture
def ward(table, clock):
    """Make a quarantine with its surroundings, after the suspects are there."""
    wards = []

    def ward(*args, **options):
        wards.append(Ward(table, clock, *args, **options))
        return wards[-1]

    yield ward
    for each in wards:
        each.board.close()


# Who starts with whom -------------------------------------------------------------------------------------


def test_while_all_goes_well_more_and_more_start_together(put_suspects, ward):
    put_suspects(100, lane=LOOP)
    assert ward().turns(9) == [1, 2, 4, 8, 16, MOST, MOST, 5, 0]


def test_no_more_than_there_are_threads(put_suspects, ward):
    put_suspects(10)
    assert ward(threads=3).turns(5) == [1, 2, 0, 0, 0]


def test_no_more_than_the_process_is_to_take(put_suspects, ward):
    put_suspects(10, lane=LOOP)
    assert ward(limit=4).turns(5) == [1, 2, 1, 0, 0]


def test_after_a_crash_of_several_they_start_one_by_one(put_suspects, ward):
    put_suspects(5)
    assert ward(care=1).turns(6) == [1] * 5 + [0]


def test_when_all_have_started_the_care_is_over(put_suspects, ward):
    put_suspects(5)
    careful = ward(care=1)
    careful.turns(6)
    put_suspects(7)
    careful.quarantine.sight(careful.tables)
    assert careful.turns(3) == [1, 2, 4]


def test_who_was_charged_twice_starts_first_and_alone(put_suspects, ward):
    put_suspects(3)
    put_suspects(2, deliveries=2, lane=LOOP)
    together = ward()
    began = []
    for _ in range(4):
        began.append([message.deliveries for message in together.turn()])
        together.clock.now += WATCH_LATER
    assert began == [[2], [2], [1], [1, 1]]


# How long they are watched --------------------------------------------------------------------------------


@pytest.mark.parametrize(("deliveries", "seconds"), [(1, WATCH_FIRST), (2, WATCH_LATER)])
def test_a_watch_lasts_so_long(put_suspects, ward, deliveries, seconds):
    put_suspects(2, deliveries)
    watch = ward()
    watch.turn()
    assert watch.quarantine.rest == pytest.approx(seconds)
    watch.clock.now += seconds - 0.01
    assert watch.turn() == []
    watch.clock.now += 0.02
    assert watch.quarantine.rest < 0
    assert len(watch.turn()) == 1


def test_after_many_crashes_of_several_each_is_watched_longer(put_suspects, ward):
    put_suspects(3)
    slow = ward(care=2)
    slow.turn()
    assert slow.quarantine.rest == pytest.approx(WATCH_CAREFULLY)
    slow.clock.now += WATCH_CAREFULLY
    assert len(slow.turn()) == 1


def test_it_is_over_when_all_of_them_have_ended(put_suspects, ward):
    put_suspects(4)
    watch = ward()
    watch.end(watch.turn())
    one, two = watch.turn()
    watch.end([one])
    assert watch.turn() == []
    watch.end([two])
    assert watch.quarantine.rest == float("inf")
    assert len(watch.turn()) == 1


def test_who_was_charged_twice_is_not_watched_for_ever_one_after_the_other(put_suspects, ward):
    put_suspects(40, deliveries=2, lane=LOOP)
    patient = ward()
    alone = round(PATIENCE / WATCH_LATER)
    assert patient.turns(alone + 5) == [1] * alone + [1, 2, 4, 8, 16]


def test_but_then_nobody_is_charged_a_third_time_for_a_brief_watch(put_suspects, ward):
    put_suspects(8, deliveries=2)
    brief = ward()
    brief.turns(round(PATIENCE / WATCH_LATER))
    (alone,) = brief.turn()
    assert alone.deliveries == 2
    assert brief.board.watches_several
    assert brief.board.to_blame() == {}


def test_after_a_crash_of_several_there_is_patience_for_all_of_them(put_suspects, ward):
    put_suspects(12, deliveries=2)
    assert ward(care=1).turns(13) == [1] * 12 + [0]
    put_suspects(12, deliveries=2)
    careful, watches = ward(care=1), []
    for _ in range(12):
        (alone,) = careful.turn()
        watches.append(round(careful.quarantine.rest))
        assert careful.board.to_blame() == {0: [alone.id]}
        careful.clock.now += WATCH_LATER
    assert watches == [WATCH_LATER] * 12


def test_patience_is_spent_only_while_they_run(put_suspects, ward):
    put_suspects(40, deliveries=2)
    patient = ward()
    for _ in range(20):
        (message,) = patient.turn()
        patient.clock.now += PATIENCE / 40
        patient.end([message])
    assert patient.turns(2) == [1, 1]


# Who waits meanwhile --------------------------------------------------------------------------------------


def test_lanes_that_share_the_process_are_closed_during_a_watch(put_suspects, ward):
    put_suspects(1)
    lanes = ward()
    assert lanes.closed == []
    lanes.turn()
    assert lanes.closed == [0, LOOP]
    lanes.clock.now += WATCH_FIRST
    lanes.turn()
    assert lanes.closed == []


def test_a_full_lane_waits_for_its_suspects_and_no_other_does(put_suspects, ward):
    put_suspects(5)
    lanes = ward(threads=2)
    began = [*lanes.turn()]
    lanes.clock.now += WATCH_FIRST
    began += lanes.turn()
    lanes.clock.now += WATCH_FIRST
    assert lanes.turn() == []
    assert lanes.closed == [0]
    lanes.end(began[:1])
    assert len(lanes.turn()) == 1
    assert lanes.closed == [0, LOOP]


def test_suspects_of_one_lane_do_not_wait_for_another_that_is_full(put_suspects, ward):
    put_suspects(2)
    put_suspects(3, lane=LOOP)
    lanes = ward(threads=1)
    assert lanes.turns(4) == [1, 2, 1, 0]


def test_what_is_claimed_and_has_not_begun_begins_beside_no_suspect(put_suspects, put, ward, table):
    """The threads are busy, and something waits for one; the event loop could begin its suspect at once."""
    put({"lane": 0})
    put({"lane": 0})
    lanes = ward(threads=1)
    busy, ahead = table.claim(1, 2)
    lanes.lanes.take(0, [busy, ahead])
    (first,) = [lanes.lanes.main.buffer.get()]
    put_suspects(1, lane=LOOP)
    lanes.quarantine.sight(lanes.tables)
    assert lanes.quarantine.claim(1, lanes.tables) == (0, [])
    assert lanes.closed == [0, LOOP]
    lanes.end([first.message])
    lanes.lanes.main.buffer.get()
    assert len(lanes.turn()) == 1


def test_nothing_is_left_closed_when_others_took_the_suspects(put_suspects, ward, table):
    put_suspects(2)
    lanes = ward(threads=1)
    lanes.turn()
    lanes.clock.now += WATCH_FIRST
    lanes.turn()
    assert lanes.closed == [0]
    table.claim_suspects(2)
    lanes.quarantine.sight(lanes.tables)
    assert lanes.closed == []


# Who is to blame ------------------------------------------------------------------------------------------


def test_one_is_to_blame_but_none_of_several(put_suspects, ward):
    put_suspects(4)
    page = ward()
    (first,) = page.turn()
    assert page.board.to_blame() == {0: [first.id]}
    page.clock.now += WATCH_FIRST
    second, third = page.turn()
    assert page.board.watches_several
    assert page.board.to_blame() == {}
    page.end([second])
    assert page.board.to_blame() == {0: [third.id]}


def test_nobody_is_to_blame_alone_after_the_watch_also_if_nothing_more_is_claimed(put_suspects, ward):
    put_suspects(3)
    page = ward()
    page.turn()
    page.clock.now += WATCH_FIRST
    several = page.turn()
    page.clock.now += WATCH_FIRST / 2
    page.quarantine.turn()
    assert page.board.watches_several
    page.clock.now += WATCH_FIRST
    page.quarantine.turn()
    assert not page.board.watches_several
    assert page.board.to_blame() == {0: [message.id for message in several]}
    page.end(several[:1])
    assert page.board.to_blame() == {0: [message.id for message in several]}
    assert page.closed == [0, LOOP], "the next suspects come first"


# In a loop ------------------------------------------------------------------------------------------------


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


def test_a_loop_rests_while_suspects_wait_for_a_thread(suspect, turns, table, conn):
    suspect(1, threads=1)
    table.put({"body": encode("waits"), "deliveries": 1})
    table.ring("returned")
    time.sleep(2.5)
    assert len(turns) < FEW


def test_others_wait_while_one_is_watched(suspect, put, have_run):
    loop = suspect(2)
    put("other")
    time.sleep(1.5)
    assert loop.bodies == ["suspect"]


def test_others_run_when_the_watch_is_over(suspect, put, have_run):
    loop = suspect(1)
    put("other")
    have_run(["other"], loop)


def test_a_watch_ends_in_a_loop_that_was_told_to_stop(monkeypatch, put, table, consume, have_run, eventually):
    monkeypatch.setattr(module, "WATCH_LATER", 3.0)
    release = threading.Event()
    loop = consume(run=lambda body: release.wait(30))
    other = put("other")
    have_run(["other"], loop)
    suspect = put("suspect", deliveries=2)
    have_run(["suspect"], loop)
    loop.consumer.stop(30)

    def blames(*numbers):
        assert sorted(loop._board.to_blame()[0]) == sorted(numbers)

    try:
        eventually(lambda: blames(suspect))
        eventually(lambda: blames(suspect, other))
    finally:
        release.set()
