"""How long a waiter may sleep. The clock is ours."""

import itertools

import pytest

from tpq.waiting import (
    ASKED,
    BUSY_POLL,
    POLL_BEHIND_BELL,
    POLL_FIRST,
    POLL_LAST,
    RINGS,
    SETTLING,
    WITHIN,
    Nap,
)


class Clock:
    now = 1000.0

    def monotonic(self):
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr("tpq.waiting.time", clock)
    return clock


@pytest.fixture
def nap(clock):
    return Nap()


def settled(nap, clock):
    """A nap whose first question was answered a while ago."""
    nap.length(works=True, ask=lambda: True)
    nap.length(works=True, ask=lambda: True)
    clock.now += SETTLING
    assert nap.length(works=True, ask=lambda: True) == POLL_BEHIND_BELL
    return nap


def never():
    raise AssertionError("it is not to be asked")


def test_without_a_bell_looks_become_rarer_up_to_a_limit(nap):
    pauses = [nap.length(works=False, ask=never) for _ in range(30)]
    assert (pauses[0], pauses[-1], pauses == sorted(pauses)) == (POLL_FIRST, POLL_LAST, True)


def test_something_found_makes_looks_frequent_again(nap):
    pauses = [nap.length(works=False) for _ in range(9)]
    nap.found()
    assert nap.length(works=False) == POLL_FIRST < pauses[-1]


def test_who_was_not_rung_for_until_now_looks_again_at_once(nap, clock):
    settled(nap, clock)
    clock.now += POLL_BEHIND_BELL
    assert nap.length(works=True, ask=lambda: False) == 0.0


def test_and_for_a_moment_it_looks_often(nap, clock):
    settled(nap, clock)
    clock.now += POLL_BEHIND_BELL
    nap.length(works=True, ask=lambda: False)
    assert nap.length(works=True, ask=never) == POLL_FIRST
    clock.now += SETTLING
    assert nap.length(works=True, ask=never) == POLL_BEHIND_BELL


def test_it_asks_again_before_its_time_is_over(nap, clock):
    settled(nap, clock)
    asked = []
    for _ in range(100):
        clock.now += 0.1
        nap.length(works=True, ask=lambda: asked.append(clock.now) or True)
    gaps = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert max(gaps) < ASKED / 2


def test_who_has_not_asked_for_a_while_looks_again_whatever_others_have_asked(nap, clock):
    settled(nap, clock)
    clock.now += ASKED
    assert nap.length(works=True, ask=lambda: True) == 0.0


def test_who_may_not_ask_looks_often(nap, clock):
    settled(nap, clock)
    clock.now += POLL_BEHIND_BELL
    pauses = [nap.length(works=True, ask=lambda: None) for _ in range(9)]
    assert POLL_FIRST <= pauses[0] < pauses[-1] <= POLL_LAST


def often(nap, clock):
    """Ring often enough to be a reason to see whether that hinders anybody."""
    for _ in range(RINGS):
        clock.now += WITHIN / RINGS / 2
        assert nap.rung()
    return nap


def crowded(nap, clock):
    often(nap, clock).checked(is_crowded=True)
    return nap


def test_a_bell_that_rings_often_is_a_reason_to_look_whom_it_hinders(nap, clock):
    settled(nap, clock)
    assert not nap.is_to_check
    assert often(nap, clock).is_to_check
    nap.checked(is_crowded=False)
    assert (nap.is_to_check, nap.rung(), nap.length(works=True, ask=never)) == (False, True, POLL_BEHIND_BELL)


def test_one_that_hinders_nobody_is_looked_at_again_later(nap, clock):
    often(settled(nap, clock), clock).checked(is_crowded=False)
    clock.now += WITHIN
    assert often(nap, clock).is_to_check


def test_rings_now_and_then_are_no_reason(nap, clock):
    settled(nap, clock)
    for _ in range(10 * RINGS):
        clock.now += WITHIN / RINGS * 2
        assert (nap.rung(), nap.is_to_check) == (True, False)


def test_a_bell_that_hinders_others_is_not_asked_for(nap, clock):
    crowded(settled(nap, clock), clock)
    clock.now += SETTLING / 2
    assert (nap.rung(), nap.length(works=True, ask=never)) == (False, BUSY_POLL)


def test_it_is_asked_for_again_when_nothing_comes_any_more(nap, clock):
    crowded(settled(nap, clock), clock)
    clock.now += POLL_BEHIND_BELL
    nap.found()  # too late to matter
    assert nap.length(works=True, ask=lambda: False) == 0.0


def test_as_long_as_messages_come_it_goes_on_looking(nap, clock):
    crowded(settled(nap, clock), clock)
    for _ in range(100):
        clock.now += SETTLING / 2
        nap.found()
        assert nap.length(works=True, ask=never) == BUSY_POLL
