"""Claims with floors find at once what they must, and miss what only a sweep finds."""

import pytest

from tpq.floors import HIGHEST, KNOWN, LOWEST, Floors

NEVER = 3600.0


@pytest.fixture
def risen(table, put, sweep_every, eventually):
    """Floors that know some priorities, and will never sweep again."""

    def risen(*priorities):
        sweep_every(NEVER)
        found = Floors()
        for priority in priorities:
            put(priority=priority)
        table.claim(1, len(priorities), found)

        def know_all():
            assert table.claim(1, 1, found) == []
            assert len(found._floors) == min(len(priorities), KNOWN)

        eventually(know_all)
        return found

    return risen


@pytest.mark.parametrize(
    ("known", "new"),
    [
        ([3, 5], [6, 4, 2]),
        ([3, 5], [HIGHEST, 9, 1, 0, -1, LOWEST]),
        ([HIGHEST, LOWEST], [HIGHEST - 1, 0, LOWEST + 1]),
        ([HIGHEST, HIGHEST - 1, 0, -1, LOWEST + 1, LOWEST], [1, -2]),
        (range(12), range(-1, 13)),
        ([], [7]),
    ],
)
def test_a_priority_never_seen_before_has_its_turn_with_the_very_next_claim(table, put, risen, known, new):
    above, wanted = risen(*known), sorted({*known, *new}, reverse=True)
    for priority in reversed(wanted):
        put(priority=priority)
    assert [table.claim(1, 1, above)[0].priority for _ in wanted] == wanted


def test_what_lies_below_a_floor_is_found_by_nothing_but_a_sweep(conn, table, put, risen):
    above, number = risen(1, 2), put(priority=1)
    conn.execute(f"UPDATE {table.name} SET seq = 0 WHERE id = %s", [number])
    missed = table.claim(1, 1, above)
    above.doubt()
    assert (missed, [message.id for message in table.claim(1, 1, above)]) == ([], [number])
