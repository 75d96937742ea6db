"""In, and out in the caller's transaction."""

from datetime import timedelta

import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)


def bodies(messages):
    return [message.body for message in messages]


def test_a_message_comes_back_as_it_was_put(table, put):
    number = put({"to": "ada"}, priority=3)
    (message,) = table.get()
    assert (message.id, message.body, message.priority, message.state) == (number, {"to": "ada"}, 3, "ready")


def test_a_message_is_gone_once_taken(table, put):
    put()
    table.get()
    assert table.get() == []


def test_an_empty_queue_gives_nothing(table):
    assert table.get() == []


def test_ids_grow_in_the_order_of_putting(put):
    numbers = [put() for _ in range(5)]
    assert numbers == sorted(set(numbers))


def test_what_was_put_first_comes_first(table, put):
    for number in range(5):
        put(number)
    assert [table.get()[0].body for _ in range(5)] == [0, 1, 2, 3, 4]


def test_many_come_in_the_same_order_as_one_by_one(table, put):
    for number in range(50):
        put(number, priority=number % 3)
    assert bodies(table.get(50)) == sorted(range(50), key=lambda n: (-(n % 3), n))


def test_a_higher_priority_comes_first(table, put):
    for priority in (0, -32768, 7, 32767):
        put(priority, priority=priority)
    assert bodies(table.get(4)) == [32767, 7, 0, -32768]


def test_no_more_come_than_are_asked_for(table, put):
    for number in range(5):
        put(number)
    assert bodies(table.get(2)) == [0, 1]


def test_no_more_come_than_there_are(table, put):
    put(1)
    assert bodies(table.get(9)) == [1]


def test_a_put_that_is_rolled_back_never_was(conn, table, put):
    with conn.transaction(force_rollback=True):
        put()
    assert table.count() == 0


def test_a_message_taken_in_a_transaction_that_is_rolled_back_is_next_again_at_once(conn, table, put):
    for number in range(3):
        put(number)
    with conn.transaction(force_rollback=True):
        assert bodies(table.get()) == [0]
    assert bodies(table.get()) == [0]


def test_two_open_transactions_take_different_messages(conn, connect, table, table_on, put):
    put(1)
    put(2)
    other = connect()
    with conn.transaction(), other.transaction():
        assert bodies(table.get()) + bodies(table_on(other).get()) == [1, 2]


def test_a_message_in_an_uncommitted_transaction_is_not_seen(connect, table, table_on):
    producer = connect()
    with producer.transaction():
        table_on(producer).put({"body": "1"})
        assert table.get() == []


# Delayed messages -----------------------------------------------------------------------------------------


def test_a_delayed_message_waits(table, put, row):
    number = put(delay=HOUR)
    assert (table.get(), row(table, number)["state"]) == ([], "waiting")


def test_a_delayed_message_comes_when_it_falls_due_without_anybody_promoting_it(table, put, age):
    number = put("late", delay=HOUR)
    age(table, number, minutes=61)
    assert bodies(table.get()) == ["late"]


def test_without_a_delay_a_message_is_ready(table, put, row):
    assert row(table, put(delay=timedelta(0)))["state"] == "ready"


def test_a_due_message_stands_among_the_ready_ones_by_the_moment_it_fell_due(table, put, age):
    first, due = put("before"), put("due", delay=HOUR)
    age(table, first, hours=2)
    age(table, due, hours=1, minutes=30)
    put("after")
    assert bodies(table.get(3)) == ["before", "due", "after"]


def test_a_ready_message_of_higher_priority_comes_before_a_due_one(table, put, age):
    age(table, put("due", delay=HOUR), hours=9)
    put("urgent", priority=1)
    assert bodies(table.get(2)) == ["urgent", "due"]


def test_a_due_message_of_higher_priority_comes_before_a_ready_one(table, put, age):
    age(table, put("ready"), hours=9)
    age(table, put("urgent", delay=HOUR, priority=1), hours=2)
    assert bodies(table.get(2)) == ["urgent", "ready"]


def test_due_messages_come_in_the_order_they_fell_due(table, put, age):
    late, early = put("late", delay=HOUR), put("early", delay=HOUR)
    age(table, late, hours=2)
    age(table, early, hours=3)
    assert bodies(table.get(2)) == ["early", "late"]


def test_ready_messages_keep_their_order_whatever_their_clocks_say(table, put, age):
    numbers = [put(n) for n in range(4)]
    age(table, numbers[3], hours=5)
    age(table, numbers[1], hours=2)
    assert bodies(table.get(4)) == [0, 1, 2, 3]


def test_a_message_whose_lease_ended_comes_again(table, put, age):
    number = put("held")
    table.lease(HOUR)
    age(table, number, hours=2)
    assert bodies(table.get()) == ["held"]


def test_a_message_on_a_lease_does_not_come(table, put):
    put()
    table.lease(HOUR)
    assert table.get() == []


def test_a_message_whose_last_delivery_was_lost_does_not_come(table, put, age):
    number = put(max_deliveries=1)
    table.lease(HOUR)
    age(table, number, hours=2)
    assert table.get() == []


def test_taking_a_due_message_leaves_the_other_due_ones_to_others(conn, connect, table, table_on, put, age):
    for body in (1, 2):
        age(table, put(body, delay=HOUR), hours=2)
    other = connect()
    with conn.transaction(), other.transaction():
        assert bodies(table.get()) + bodies(table_on(other).get()) == [1, 2]


# Looking --------------------------------------------------------------------------------------------------


def test_peek_shows_what_get_would_take(table, put, age):
    for number in range(6):
        put(number, priority=number % 2)
    age(table, put("due", delay=HOUR), hours=9)
    seen = bodies(table.peek(7))
    assert seen == bodies(table.get(7))


def test_peek_takes_nothing(table, put):
    put(1)
    table.peek()
    assert bodies(table.get()) == [1]


def test_peek_locks_nothing(conn, connect, table, table_on, put):
    put(1)
    with conn.transaction():
        table.peek()
        assert bodies(table_on(connect()).get()) == [1]


@pytest.mark.parametrize(
    ("state", "expected"), [(None, 3), ("ready", 2), ("waiting", 2), ("claimed", 1), ("dead", 1)]
)
def test_counts_are_by_state_or_of_what_could_be_taken_now(table, put, age, state, expected):
    put()
    table.bury([Receipt(m.id, m.claim_no) for m in table.claim(1, 1)], ["bad"])
    put()
    table.claim(1, 1)
    put()
    put()
    put(delay=HOUR)
    age(table, put(delay=HOUR), hours=2)
    assert table.count(state) == expected


def test_a_lost_lease_counts_until_its_deliveries_are_used_up(table, put, age):
    numbers = [put(max_deliveries=1), put(max_deliveries=2)]
    table.lease(HOUR, 2)
    age(table, *numbers, hours=2)
    assert table.count() == 1


# Clearing -------------------------------------------------------------------------------------------------


def test_clear_deletes_what_nobody_has_taken_and_says_how_many(table, put):
    put()
    table.claim(1, 1)
    put()
    put(delay=HOUR)
    assert (table.clear(), table.count("claimed")) == (2, 1)


def test_clear_leaves_dead_letters(table, put):
    put()
    table.bury([Receipt(m.id, m.claim_no) for m in table.claim(1, 1)], ["bad"])
    assert (table.clear(), table.count("dead")) == (0, 1)


def test_clear_neither_waits_for_nor_deletes_a_message_that_is_being_taken(
    conn, connect, table, table_on, put
):
    put(1)
    put(2)
    other = connect(options="-c lock_timeout=2000")
    with conn.transaction(force_rollback=True):
        table.get()
        assert table_on(other).clear() == 1
    assert bodies(table.get()) == [1]
