"""Due messages and ended leases come back."""

from datetime import timedelta

import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)


def bodies(messages):
    return [message.body for message in messages]


def test_a_due_message_becomes_ready(table, put, age, row):
    number = put(delay=HOUR)
    age(table, number, hours=2)
    table.promote()
    assert (row(table, number)["state"], row(table, number)["due_at"]) == ("ready", None)


def test_a_message_that_is_not_due_stays(table, put):
    put(delay=HOUR)
    assert (table.promote(), table.count("waiting")) == ([], 1)


def test_promote_says_what_moved_and_where_to(table, put, age):
    due, last = put(delay=HOUR), put(max_deliveries=1)
    table.lease(HOUR)
    age(table, due, last, hours=2)
    assert sorted(table.promote()) == [(due, "ready"), (last, "dead")]


def test_what_is_promoted_falls_in_behind_what_is_there(table, put, age):
    age(table, put("promoted", delay=HOUR), hours=2)
    put("there")
    table.promote()
    assert bodies(table.claim(1, 2)) == ["there", "promoted"]


def test_what_fell_due_first_is_first_in_line(table, put, age):
    for hours in (2, 9, 5, 7):
        age(table, put(hours, delay=HOUR), hours=hours)
    table.promote()
    assert bodies(table.claim(1, 9)) == [9, 7, 5, 2]


def test_a_bounded_number_is_promoted_at_once_the_oldest_first(table, put, age, row):
    numbers = [put(delay=HOUR) for _ in range(3)]
    for number, hours in zip(numbers, (3, 2, 4), strict=True):
        age(table, number, hours=hours)
    table.promote(2)
    assert [row(table, number)["state"] for number in numbers] == ["ready", "waiting", "ready"]


def test_a_message_whose_lease_ended_is_ready_again_and_the_delivery_counts(table, put, age, row):
    number = put()
    table.lease(HOUR)
    age(table, number, hours=2)
    table.promote()
    now = row(table, number)
    assert (now["state"], now["claimed_by"], now["deliveries"], now["attempt"]) == ("ready", None, 1, 0)


def test_a_message_whose_lease_ended_says_why(table, put, age, row):
    number = put()
    table.lease(HOUR)
    age(table, number, hours=2)
    table.promote()
    assert "lease ended" in row(table, number)["error"]


def test_a_promoted_message_keeps_the_error_it_had(table, put, age, row):
    number = put()
    (message,) = table.claim(1, 1)
    table.retry([Receipt(number, message.claim_no)], [HOUR], ["it was the network"])
    age(table, number, hours=2)
    table.promote()
    assert row(table, number)["error"] == "it was the network"


def test_a_message_whose_last_lease_ended_is_dead(table, put, age, row):
    number = put(max_deliveries=2)
    for _ in range(2):
        table.lease(HOUR)
        age(table, number, hours=2)
        table.promote()
    now = row(table, number)
    assert (now["state"], now["claimed_by"], now["due_at"], now["deliveries"]) == ("dead", None, None, 2)


def test_a_lease_that_has_not_ended_stays(table, put):
    put()
    table.lease(HOUR)
    assert table.promote() == []


def test_a_claim_without_a_lease_of_its_own_stays(table, put):
    put()
    table.claim(1, 1)
    assert table.promote() == []


def test_a_dead_letter_whose_time_is_over_stays_dead(table, put, age):
    number = put()
    table.bury([Receipt(m.id, m.claim_no) for m in table.claim(1, 1)], ["bad"], keep=HOUR)
    age(table, number, hours=2)
    assert table.promote() == []


def test_a_parked_message_stays(table, put):
    put(state="waiting")
    assert (table.promote(), table.get(), table.count("waiting")) == ([], [], 1)


def test_two_who_promote_at_once_share_the_messages(conn, connect, table, table_on, put, age):
    for _ in range(4):
        age(table, put(delay=HOUR), hours=2)
    other = connect()
    with conn.transaction(), other.transaction():
        moved = table.promote(2) + table_on(other).promote(9)
    assert len({number for number, _ in moved}) == len(moved) == 4


def test_the_next_due_moment_is_told_in_seconds(table, put):
    put(delay=HOUR * 2)
    put(delay=HOUR)
    assert table.next_due() == pytest.approx(3600, abs=30)


def test_a_lease_counts_as_a_next_due_moment(table, put):
    put()
    table.lease(HOUR)
    assert table.next_due() == pytest.approx(3600, abs=30)


def test_a_moment_that_is_over_is_told_as_negative(table, put, age):
    age(table, put(delay=HOUR), hours=2)
    assert table.next_due() == pytest.approx(-3600, abs=30)


def test_without_anything_waiting_there_is_no_next_due_moment(table, put):
    put()
    table.bury([Receipt(m.id, m.claim_no) for m in table.claim(1, 1)], ["bad"], keep=HOUR)
    assert table.next_due() is None
