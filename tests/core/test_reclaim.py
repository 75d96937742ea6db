"""What dead consumers held comes back."""

from datetime import timedelta

import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)


def bodies(messages):
    return [message.body for message in messages]


@pytest.fixture
def held(table, put):
    """Put messages and claim them for consumer 5; their ids."""

    def held(*bodies, **columns):
        for body in bodies or (None,):
            put(body, **columns)
        return [message.id for message in table.claim(5, max(len(bodies), 1))]

    return held


def test_what_a_dead_consumer_held_is_ready_again(table, held, row):
    (number,) = held()
    table.reclaim([5])
    now = row(table, number)
    assert (now["state"], now["claimed_by"], now["due_at"]) == ("ready", None, None)


def test_reclaim_gives_back_the_rows_it_moved(table, held):
    (number,) = held("body")
    ((moved, state, message),) = table.reclaim([5])
    assert (moved, state, message.id, message.body) == (number, "ready", number, "body")


def test_what_was_reclaimed_keeps_its_place(table, held, put):
    held(1, 2)
    put(3)
    table.reclaim([5], begun=[])
    assert bodies(table.claim(1, 3)) == [1, 2, 3]


def test_what_others_hold_stays_theirs(table, held, put, row):
    held()
    other = put()
    table.claim(6, 1)
    table.reclaim([5])
    assert row(table, other)["claimed_by"] == 6


def test_several_dead_consumers_are_cleared_at_once(table, put):
    for consumer in (5, 6, 7):
        put(consumer)
        table.claim(consumer, 1)
    assert sorted(message.body for _, _, message in table.reclaim([5, 7])) == [5, 7]


def test_messages_on_a_lease_of_their_own_are_not_reclaimed(table, put):
    put()
    table.lease(HOUR)
    assert table.reclaim([0]) == []


def test_a_run_that_had_begun_counts_as_a_delivery(table, held, row):
    begun, buffered = held(1, 2)
    table.reclaim([5], begun=[begun])
    assert [row(table, number)["deliveries"] for number in (begun, buffered)] == [1, 0]


def test_only_a_run_that_had_begun_says_why_it_ended(table, held, row):
    begun, buffered = held(1, 2)
    table.reclaim([5], begun=[begun])
    assert "lost" in row(table, begun)["error"]
    assert row(table, buffered)["error"] is None


def test_when_it_is_unknown_what_had_begun_each_may_have(table, held, row):
    numbers = held(1, 2)
    table.reclaim([5])
    assert [row(table, number)["deliveries"] for number in numbers] == [1, 1]


def test_when_it_is_known_that_nothing_had_begun_nothing_counts(table, held):
    held()
    table.reclaim([5], begun=[])
    assert table.has_suspects() is False


def test_a_lost_run_is_no_attempt(table, held, row):
    (number,) = held()
    table.reclaim([5])
    assert row(table, number)["attempt"] == 0


@pytest.mark.parametrize("known", [True, False])
def test_a_message_that_used_up_its_deliveries_ends_dead(table, held, row, known):
    (number,) = held(max_deliveries=1)
    ((_, state, _),) = table.reclaim([5], begun=[number] if known else None)
    now = row(table, number)
    assert (state, now["state"], now["claimed_by"], now["due_at"]) == ("dead", "dead", None, None)


def test_a_neighbour_that_had_not_begun_lives_on_at_its_last_delivery(table, held, row):
    (number,) = held(max_deliveries=1)
    table.reclaim([5], begun=[number + 1])
    assert row(table, number)["state"] == "ready"


def test_a_message_is_delivered_as_often_as_allowed_and_no_more(table, put):
    put(max_deliveries=3)
    table.claim(5, 1)
    states = []
    for _ in range(3):
        states += [state for _, state, _ in table.reclaim([5])]
        table.claim_suspects(5)
    assert states == ["ready", "ready", "dead"]


def test_two_who_reclaim_at_once_get_each_message_once(conn, connect, table, table_on, held):
    held(1, 2)
    other = connect()
    with conn.transaction(), other.transaction():
        moved = table.reclaim([5]) + table_on(other).reclaim([5])
    assert len(moved) == 2


def test_a_claim_that_its_consumer_is_just_settling_is_left_to_him(connect, table, table_on, held):
    (number,) = held()
    consumer = connect()
    with consumer.transaction():
        table_on(consumer).bury([Receipt(number, 1)], ["bad"])
        assert table.reclaim([5]) == []


def test_the_holders_are_told_by_their_ids(table, put):
    for consumer in (5, 6, 6):
        put()
        table.claim(consumer, 1)
    put()
    table.lease(HOUR)
    assert sorted(table.holders()) == [5, 6]
