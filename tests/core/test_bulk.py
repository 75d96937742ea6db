"""Many messages by one statement: their ids come back in order, and so do they."""

import json
from datetime import timedelta

import pytest

HOUR = timedelta(hours=1)


def bodies(messages):
    return [message.body for message in messages]


def by_unnest(table, count, priority=0, delay=None):
    return table.put_many([str(n) for n in range(count)], priority, delay)


def by_copy(table, count, priority=0, delay=None):
    return table.copy(("body", "priority"), ((str(n), priority) for n in range(count)), count, delay)


doors = pytest.mark.parametrize("door", [by_unnest, by_copy])


@doors
def test_the_ids_come_in_the_order_of_the_bodies(table, row, door):
    ids = door(table, 300)
    assert [row(table, number)["body"] for number in ids[::50]] == [0, 50, 100, 150, 200, 250]


@doors
def test_the_messages_come_in_the_order_of_the_bodies(table, door):
    door(table, 1000)
    assert bodies(table.get(1000)) == list(range(1000))


@doors
def test_they_stand_behind_what_was_put_before(table, put, door):
    put("before")
    door(table, 2)
    put("after")
    assert bodies(table.get(9)) == ["before", 0, 1, "after"]


@doors
def test_a_priority_holds_for_all(table, put, door):
    put("ordinary")
    door(table, 2, priority=5)
    assert bodies(table.get(9)) == [0, 1, "ordinary"]


@doors
def test_a_delay_holds_for_all(table, door):
    door(table, 3, delay=HOUR)
    assert (table.get(9), table.count("waiting"), round(table.next_due(), -2)) == ([], 3, 3600)


@doors
def test_delayed_ones_fall_due_in_the_order_of_the_bodies(table, age, door):
    age(table, *door(table, 50, delay=HOUR), hours=2)
    assert bodies(table.get(50)) == list(range(50))


@doors
def test_none_at_all_is_no_error(table, door):
    assert door(table, 0) == []


@doors
def test_a_rollback_takes_all_back(conn, table, door):
    with conn.transaction(force_rollback=True):
        door(table, 3)
    assert table.count() == 0


@doors
def test_the_bell_rings_once(conn, connect, table, door):
    ear = connect()
    ear.execute(f"LISTEN {table.channel()}")
    table.ask(60)
    door(table, 100)
    assert len(list(ear.notifies(timeout=0.2))) == 1


@doors
@pytest.mark.parametrize(
    "body", ['"tab\\t newline\\n backslash\\\\ \\\\N é"', '"\\\\."', "null", '{"a": [1.0]}']
)
def test_no_body_is_mistaken_for_syntax(table, door, body):
    if door is by_copy:
        table.copy(("body",), [(body,)], 1)
    else:
        table.put_many([body], 0, None)
    assert table.get()[0].body == json.loads(body)


def test_ids_of_a_copy_are_not_given_to_others_meanwhile(connect, table, table_on):
    others = table_on(connect())
    ids = []

    def rows():
        yield ("1",)
        ids.append(others.put({"body": "3"}))
        yield ("2",)

    ids += table.copy(("body",), rows(), 2)
    assert len(set(ids)) == 3
