"""Claims of consumers, of suspects, and on leases."""

from datetime import timedelta

import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)


def bodies(messages):
    return [message.body for message in messages]


@pytest.fixture
def put_suspect(put):
    """Put a message as a lost run leaves it."""
    return lambda body=None, deliveries=1, **columns: put(body, deliveries=deliveries, **columns)


def test_a_claim_says_who_holds_the_message(table, put, row):
    number = put()
    table.claim(7, 1)
    now = row(table, number)
    assert (now["state"], now["claimed_by"], now["due_at"], now["claim_no"]) == ("claimed", 7, None, 1)


def test_a_claim_counts_neither_as_attempt_nor_as_delivery(table, put, row):
    number = put()
    table.claim(7, 1)
    assert (row(table, number)["attempt"], row(table, number)["deliveries"]) == (0, 0)


def test_a_claimed_message_comes_with_its_new_claim_number(table, put):
    put()
    assert table.claim(7, 1)[0].claim_no == 1


def test_claim_numbers_never_fall(table, put):
    number = put()
    seen = []
    for _ in range(3):
        (message,) = table.claim(1, 1)
        seen.append(message.claim_no)
        table.retry([Receipt(number, message.claim_no)], [timedelta(0)], [None])
    assert seen == [1, 2, 3]


def test_claims_come_by_priority_and_then_in_order(table, put):
    for number in range(40):
        put(number, priority=number % 3)
    assert bodies(table.claim(1, 40)) == sorted(range(40), key=lambda n: (-(n % 3), n))


def test_a_claim_takes_no_more_than_asked(table, put):
    for number in range(9):
        put(number)
    assert bodies(table.claim(1, 4)) == [0, 1, 2, 3]


def test_what_is_claimed_is_not_claimed_again(table, put):
    put()
    table.claim(1, 1)
    assert table.claim(2, 1) == []


def test_two_open_transactions_claim_different_messages(conn, connect, table, table_on, put):
    put(1)
    put(2)
    other = connect()
    with conn.transaction(), other.transaction():
        assert bodies(table.claim(1, 1)) + bodies(table_on(other).claim(2, 1)) == [1, 2]


def test_a_claim_that_is_rolled_back_never_was(conn, table, put, row):
    number = put()
    before = row(table, number)
    with conn.transaction(force_rollback=True):
        table.claim(1, 1)
    assert row(table, number) == before


def test_delayed_and_dead_messages_are_not_claimed(table, put):
    put()
    table.bury([Receipt(m.id, m.claim_no) for m in table.claim(1, 1)], ["bad"])
    put(delay=HOUR)
    assert table.claim(1, 9) == []


def test_claim_does_not_take_due_messages_before_they_are_promoted(table, put, age):
    age(table, put(delay=HOUR), hours=2)
    assert table.claim(1, 9) == []


# Suspects -------------------------------------------------------------------------------------------------


def test_a_suspect_is_left_out_by_claim(table, put, put_suspect):
    put_suspect("suspect")
    put("innocent")
    assert bodies(table.claim(1, 9)) == ["innocent"]


def test_claim_suspects_takes_one_suspect_only(table, put, put_suspect):
    put("innocent")
    put_suspect("first")
    put_suspect("second")
    assert bodies(table.claim_suspects(1)) == ["first"]


def test_claim_suspects_takes_as_many_as_asked_for(table, put_suspect):
    for number in range(5):
        put_suspect(number)
    assert bodies(table.claim_suspects(1, 3)) == [0, 1, 2]


def test_suspects_that_were_charged_more_often_come_first_then_those_claimed_last(table, put_suspect, conn):
    long_ago, lately = put_suspect("long ago"), put_suspect("lately")
    put_suspect("twice", deliveries=2)
    for number, minutes in (long_ago, 9), (lately, 1):
        past = (
            f"UPDATE {table.name} SET claimed_at = now() - interval '{minutes} minutes' WHERE id = {number}"
        )
        conn.execute(past)
    taken = [bodies(table.claim_suspects(1)) for _ in range(3)]
    assert taken == [["twice"], ["lately"], ["long ago"]]


def test_only_those_charged_so_often_in_those_lanes_are_taken(table, put_suspect):
    put_suspect("once")
    put_suspect("in the loop", deliveries=2, lane=1)
    assert table.claim_suspects(1, 9, lanes=[0], losses=2) == []
    assert table.has_suspects([1])
    assert bodies(table.claim_suspects(1, 9, losses=2)) == ["in the loop"]
    assert not table.has_suspects([1])


def test_claim_suspects_takes_nothing_else(table, put):
    put()
    assert table.claim_suspects(1) == []


def test_claim_suspects_says_who_holds_it(table, put_suspect, row):
    number = put_suspect()
    table.claim_suspects(7)
    now = row(table, number)
    assert (now["state"], now["claimed_by"], now["due_at"]) == ("claimed", 7, None)


def test_a_queue_without_suspects_says_so(table, put):
    put()
    assert table.has_suspects() is False


def test_a_queue_with_a_suspect_says_so(table, put_suspect):
    put_suspect()
    assert table.has_suspects() is True


def test_a_suspect_in_somebodys_hands_waits_no_more(table, put_suspect):
    put_suspect()
    table.claim_suspects(1)
    assert table.has_suspects() is False


def test_a_suspect_that_ended_by_itself_is_none_any_more(table, put_suspect):
    put_suspect("cleared")
    (message,) = table.claim_suspects(1)
    table.retry([Receipt(message.id, message.claim_no)], [timedelta(0)], ["an exception"])
    assert bodies(table.claim(1, 1)) == ["cleared"]


@pytest.mark.parametrize("verb", ["get", "lease"])
def test_get_and_lease_take_a_suspect_like_any_other(table, put_suspect, verb):
    put_suspect("suspect")
    taken = table.get() if verb == "get" else table.lease(HOUR)
    assert bodies(taken) == ["suspect"]


# Leases ---------------------------------------------------------------------------------------------------


def test_a_lease_belongs_to_the_message_and_not_to_a_consumer(table, put, row):
    number = put()
    table.lease(HOUR)
    assert (row(table, number)["state"], row(table, number)["claimed_by"]) == ("claimed", 0)


def test_a_lease_ends_after_its_time(table, put, conn):
    put()
    (message,) = table.lease(HOUR)
    (now,) = conn.execute("SELECT clock_timestamp()").fetchone()
    assert timedelta(minutes=59) < message.due_at - now <= HOUR


def test_leases_come_by_priority_and_then_in_order(table, put):
    for number in range(20):
        put(number, priority=number % 2)
    assert bodies(table.lease(HOUR, 20)) == sorted(range(20), key=lambda n: (-(n % 2), n))


def test_a_lease_is_not_taken_for_a_dead_consumers_claim(table, put):
    put()
    table.lease(HOUR)
    assert table.reclaim([0]) == []


def test_time_goes_on_inside_a_transaction(conn, table, put):
    with conn.transaction():
        (begun,) = conn.execute("SELECT now()").fetchone()
        conn.execute("SELECT pg_sleep(0.05)")
        put()
        (message,) = table.lease(timedelta(0))
        assert message.due_at - begun >= timedelta(milliseconds=50)
