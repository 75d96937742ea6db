"""Where a consumer looks, and when it looks everywhere: rules of the clock."""

import pytest

from tpq.floors import CHEAP, EVERYWHERE, HIGHEST, KNOWN, LAG, LONGEST, LOWEST, SHARE, Floors

DEAR = 10 * CHEAP
"""Seconds that a sweep takes which is not made without a reason."""
INFINITY = float("inf")


@pytest.fixture
def above(clock):
    return Floors()


@pytest.fixture
def look(clock, above):
    """Look for so many: it takes some seconds and finds these rows. The levels it looked at."""

    def look(*rows, count=10, takes=0.0):
        levels = above.levels(count)
        clock.now += takes
        above.claimed(rows)
        return levels

    return look


@pytest.fixture
def sweeps(clock, look):
    """Know priority 0 up to place 100, and have made a sweep of some cost that found all; at its end."""

    def sweeps(takes):
        look((0, 100))
        clock.now += 2 * LAG
        look()
        clock.now += 2 * LONGEST
        assert look(takes=takes) == EVERYWHERE

    return sweeps


# When a look is a sweep -----------------------------------------------------------------------------------


def test_the_first_look_is_a_sweep(above):
    assert above.due_at < 0
    assert above.levels(1) == EVERYWHERE


def test_a_sweep_that_found_all_leaves_no_reason_for_another(sweeps, above):
    sweeps(DEAR)
    assert above.due_at == INFINITY


def test_a_sweep_that_found_as_many_as_asked_leaves_a_reason(clock, sweeps, look, above):
    sweeps(DEAR)
    look()
    clock.now += 1.01 * SHARE * DEAR
    assert look((0, 101), (0, 102), count=2, takes=DEAR) == EVERYWHERE
    assert above.due_at == pytest.approx(clock.now + SHARE * DEAR)


@pytest.mark.parametrize("rows", [[], [(0, 101)], [(0, 101), (0, 102)]])
def test_a_look_above_the_floors_leaves_a_reason_whatever_it_finds(sweeps, look, above, rows):
    sweeps(DEAR)
    assert look(*rows, count=2) != EVERYWHERE
    assert above.due_at < INFINITY


def test_a_sweep_that_has_a_reason_is_due_after_twenty_times_what_the_last_one_took(
    clock, sweeps, look, above
):
    sweeps(DEAR)
    swept_at = clock.now
    look()
    assert above.due_at == pytest.approx(swept_at + SHARE * DEAR)
    clock.now = above.due_at - 0.001
    assert look() != EVERYWHERE
    clock.now = above.due_at
    assert look() == EVERYWHERE


def test_a_sweep_that_is_not_cheap_is_not_made_without_a_reason(clock, sweeps, look):
    sweeps(DEAR)
    clock.now += 3600
    assert look() != EVERYWHERE
    assert look() == EVERYWHERE  # now it has one


@pytest.mark.parametrize(("takes", "is_swept"), [(0.99 * CHEAP, True), (1.01 * CHEAP, False)])
def test_a_sweep_that_is_cheap_is_made_without_a_reason(clock, sweeps, look, above, takes, is_swept):
    sweeps(takes)
    clock.now += 1.01 * SHARE * takes
    assert above.due_at == INFINITY
    assert (look() == EVERYWHERE) is is_swept


def test_a_cheap_sweep_waits_for_twenty_times_its_cost_as_well(clock, sweeps, look):
    sweeps(0.9 * CHEAP)
    clock.now += 0.89 * SHARE * CHEAP
    assert look() != EVERYWHERE


def test_no_sweep_is_put_off_for_longer_than_the_longest_time(clock, sweeps, look, above):
    sweeps(3600)
    swept_at = clock.now
    look()
    assert above.due_at == pytest.approx(swept_at + LONGEST)


def test_a_doubt_makes_the_next_look_a_sweep_whatever_the_last_one_took(sweeps, look, above):
    sweeps(DEAR)
    above.doubt()
    assert above.due_at == -INFINITY
    assert look() == EVERYWHERE


def test_a_doubt_is_over_with_one_sweep(sweeps, look, above):
    sweeps(DEAR)
    above.doubt()
    look(takes=DEAR)
    assert above.due_at == INFINITY
    assert look() != EVERYWHERE


def test_one_who_knows_no_floor_looks_everywhere(look):
    assert look(takes=DEAR) == look(takes=DEAR) == EVERYWHERE


def test_however_busy_a_consumer_is_a_twentieth_of_its_time_goes_to_sweeps(clock, above):
    spent = {True: 0.0, False: 0.0}
    for place in range(20_000):
        is_sweep = above.levels(1) == EVERYWHERE
        took = DEAR if is_sweep else DEAR / 50
        spent[is_sweep] += took
        clock.now += took
        above.claimed([(0, place)])
    assert spent[True] / sum(spent.values()) == pytest.approx(1 / (SHARE + 1), rel=0.1)


# Floors ---------------------------------------------------------------------------------------------------


def pairs(levels):
    """The levels as they are read: (low, high, floor)."""
    return list(zip(*levels, strict=True))


@pytest.fixture
def levels(clock, look, sweeps):
    """The levels after a dear sweep, and looks that found rows in this order, each a while after the last."""

    def levels(*found, lag=2 * LAG):
        look(*found)
        clock.now += lag
        look(takes=DEAR)
        return look(count=1)

    return levels


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ([(0, 7)], [(1, HIGHEST, -1), (0, 0, 7), (LOWEST, -1, -1)]),
        (
            [(5, 70), (3, 7)],
            [(6, HIGHEST, -1), (5, 5, 70), (4, 4, -1), (3, 3, 7), (LOWEST, 2, -1)],
        ),
        ([(1, 7), (0, 8)], [(2, HIGHEST, -1), (1, 1, 7), (0, 0, 8), (LOWEST, -1, -1)]),
        ([(HIGHEST, 7)], [(HIGHEST, HIGHEST, 7), (LOWEST, HIGHEST - 1, -1)]),
        ([(LOWEST, 7)], [(LOWEST + 1, HIGHEST, -1), (LOWEST, LOWEST, 7)]),
        (
            [(HIGHEST, 7), (LOWEST, 8)],
            [(HIGHEST, HIGHEST, 7), (LOWEST + 1, HIGHEST - 1, -1), (LOWEST, LOWEST, 8)],
        ),
        (
            [(HIGHEST - 1, 7), (LOWEST + 1, 8)],
            [
                (HIGHEST, HIGHEST, -1),
                (HIGHEST - 1, HIGHEST - 1, 7),
                (LOWEST + 2, HIGHEST - 2, -1),
                (LOWEST + 1, LOWEST + 1, 8),
                (LOWEST, LOWEST, -1),
            ],
        ),
        ([(0, 7), (0, 8), (0, 9)], [(1, HIGHEST, -1), (0, 0, 9), (LOWEST, -1, -1)]),
    ],
)
def test_each_priority_has_its_floor_and_what_lies_between_has_none(levels, found, expected):
    assert pairs(levels(*found)) == expected


@pytest.mark.parametrize(
    "priorities", [[0], [HIGHEST, LOWEST], [3, 2, 1], [100, 50, 0, -50], range(20, 0, -1), range(400, 0, -7)]
)
def test_all_priorities_are_looked_at_once_in_falling_order(levels, priorities):
    found = levels(*((priority, 7) for priority in priorities))
    looked_at = [n for low, high, _ in pairs(found) for n in range(high, low - 1, -1)]
    assert looked_at == list(range(HIGHEST, LOWEST - 1, -1))


@pytest.mark.parametrize("many", [KNOWN - 1, KNOWN, KNOWN + 1, 3 * KNOWN])
def test_no_more_floors_are_kept_than_may_be_known(levels, many):
    found = levels(*((10 * priority, 7) for priority in range(many, 0, -1)))
    assert sum(floor == 7 for floor in found.floors) == min(many, KNOWN)


def test_the_priority_that_was_claimed_the_longest_ago_is_forgotten_first(clock, look, levels):
    for priority in [*range(KNOWN), 0]:
        look((priority, 5))
        clock.now += 2 * LAG
    found = levels((100, 5))
    assert [low for low, _, floor in pairs(found) if floor == 5] == [100, *range(KNOWN - 1, 1, -1), 0]


def test_a_floor_stays_behind_what_was_claimed_lately(clock, look, levels):
    levels((0, 7))
    look((0, 70))
    clock.now += 0.9 * LAG
    look((0, 80))
    assert look().floors == [-1, 7, -1]
    clock.now += 0.2 * LAG
    look()
    assert look().floors == [-1, 70, -1]


def test_a_late_row_that_a_sweep_found_does_not_lower_a_floor(levels, above, look, clock):
    levels((0, 100))
    above.doubt()
    assert look((0, 5), takes=DEAR) == EVERYWHERE
    clock.now += 2 * LAG
    look()
    assert look().floors == [-1, 100, -1]


def test_one_late_row_among_others_does_not_lower_a_floor(levels, above, look, clock):
    levels((0, 100))
    above.doubt()
    assert look((0, 5), (0, 101), count=2, takes=DEAR) == EVERYWHERE
    assert look().floors == [-1, 100, -1]


def test_a_sweep_that_stopped_below_a_floor_lets_the_next_look_go_on_from_there(levels, above, look, clock):
    levels((3, 50), (0, 100))
    above.doubt()
    assert look((3, 51), (0, 5), (0, 6), count=3, takes=DEAR) == EVERYWHERE
    assert pairs(look((0, 7), (0, 8), count=2))[3] == (0, 0, 4)
    clock.now += 2 * LAG
    look((0, 9), (0, 10), count=2)
    assert pairs(look((0, 11), (0, 12), count=2))[1:4] == [(3, 3, 51), (1, 2, -1), (0, 0, 8)]


def test_a_sweep_that_stopped_below_what_was_claimed_lately_is_not_overtaken_by_its_floor(
    levels, above, look, clock
):
    levels((0, 1))
    look((0, 100))
    above.doubt()
    look((0, 5), (0, 6), count=2, takes=DEAR)
    clock.now += 2 * LAG
    look()
    assert look().floors == [-1, 6, -1]
