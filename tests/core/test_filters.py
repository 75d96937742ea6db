"""Messages chosen by a user's own columns."""

from datetime import timedelta

import pytest

HOUR = timedelta(hours=1)
OWN = "tenant %x"


def bodies(messages):
    return [message.body for message in messages]


@pytest.fixture(autouse=True)
def own_columns(conn, table):
    """Two columns of the user's own, one with an odd name."""
    conn.execute(f'ALTER TABLE "{table.name}" ADD "{OWN}" text, ADD shard int NOT NULL DEFAULT 1')


@pytest.fixture(autouse=True)
def messages(own_columns, put):
    """Four messages: a1, b2, a2 and one without a tenant."""
    put("a1", **{OWN: "a"}, shard=1)
    put("b2", **{OWN: "b"}, shard=2)
    put("a2", **{OWN: "a"}, shard=2)
    put("none")


filters = pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ({}, ["a1", "b2", "a2", "none"]),
        ({OWN: "a"}, ["a1", "a2"]),
        ({OWN: "a", "shard": 2}, ["a2"]),
        ({OWN: None}, ["none"]),
        ({OWN: None, "shard": 2}, []),
        ({OWN: "nobody"}, []),
    ],
    ids=str,
)


@filters
def test_get_takes_only_what_was_asked_for(table, wanted, expected):
    assert bodies(table.get(9, wanted)) == expected


@filters
def test_get_leaves_the_rest(table, wanted, expected):
    table.get(9, wanted)
    assert table.count() == 4 - len(expected)


@filters
def test_peek_shows_only_what_was_asked_for(table, wanted, expected):
    assert bodies(table.peek(9, wanted)) == expected


@filters
def test_lease_takes_only_what_was_asked_for(table, wanted, expected):
    assert bodies(table.lease(HOUR, 9, wanted)) == expected


@filters
def test_count_counts_only_what_was_asked_for(table, wanted, expected):
    assert table.count(None, wanted) == table.count("ready", wanted) == len(expected)


@filters
def test_clear_deletes_only_what_was_asked_for(table, wanted, expected):
    assert (table.clear(wanted), table.count()) == (len(expected), 4 - len(expected))


@pytest.mark.parametrize(("wanted", "expected"), [({OWN: "a"}, []), ({OWN: "b"}, ["due"])], ids=str)
def test_due_messages_are_chosen_likewise(table, put, age, wanted, expected):
    table.clear()
    age(table, put("due", delay=HOUR, **{OWN: "b"}), hours=2)
    assert bodies(table.peek(1, wanted)) == bodies(table.get(1, wanted)) == expected


def test_a_value_is_never_read_as_sql(table):
    assert table.get(1, {OWN: "a' OR true --"}) == []
