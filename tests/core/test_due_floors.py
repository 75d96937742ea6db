"""How far back a consumer looks for what falls due: rules of the clock."""

from datetime import timedelta

import pytest

from tpq.floors import CHEAP, SHARE, DueFloor

DEAR = 10 * CHEAP
"""Seconds that a sweep takes which is not made without a reason."""
SLACK = DueFloor.SLACK


@pytest.fixture
def due(clock):
    return DueFloor()


@pytest.fixture
def look_back(clock, due):
    """Look for what is due: it takes some seconds. The window that was looked through."""

    def look_back(*, takes=0.0, found_all=True):
        window = due.window()
        clock.now += takes
        due.looked(found_all=found_all)
        return window

    return look_back


def approx(seconds):
    return pytest.approx(SLACK + timedelta(seconds=seconds), abs=timedelta(microseconds=10))


def test_the_first_look_back_goes_everywhere(due):
    assert due.ahead is None
    assert due.window() is None


def test_a_window_reaches_back_to_the_beginning_of_the_last_look_that_found_all(clock, due, look_back):
    look_back(takes=DEAR)
    clock.now += 0.3
    assert due.window() == approx(DEAR + 0.3)
    due.looked(found_all=True)
    clock.now += 0.5
    assert due.window() == approx(0.5)


def test_a_look_that_did_not_find_all_lets_the_next_reach_as_far_back(clock, due, look_back):
    look_back(takes=DEAR)
    clock.now += 0.3
    look_back(found_all=False)
    clock.now += 0.3
    assert due.window() == approx(DEAR + 0.6)


def test_a_sweep_goes_everywhere_as_often_as_it_may(clock, look_back):
    look_back(takes=DEAR)
    assert look_back() is not None
    clock.now += 1.01 * SHARE * DEAR
    assert look_back() is None


def test_a_sweep_that_did_not_find_all_is_followed_by_looks_everywhere_until_one_does(clock, due, look_back):
    look_back(takes=DEAR)
    look_back()
    clock.now += 1.01 * SHARE * DEAR
    assert [look_back(takes=DEAR, found_all=n == 2) for n in range(3)] == [None] * 3
    assert look_back() == approx(DEAR)


def test_the_next_that_falls_due_is_looked_for_everywhere_where_that_is_cheap(look_back, due):
    look_back(takes=0.9 * CHEAP)
    assert due.ahead is None


def test_the_next_that_falls_due_is_looked_for_through_a_window_where_that_is_dear(clock, look_back, due):
    look_back(takes=DEAR)
    clock.now += 0.3
    assert due.ahead == approx(DEAR + 0.3)


def test_the_next_is_looked_for_everywhere_while_a_sweep_has_not_found_all(look_back, due):
    look_back(takes=DEAR, found_all=False)
    assert due.ahead is None


def test_a_look_that_failed_leaves_the_window_as_it_was(clock, due, look_back):
    look_back(takes=DEAR)
    clock.now += 0.3
    due.window()  # and the connection breaks
    clock.now += 0.3
    assert due.window() == approx(DEAR + 0.6)
