"""No two living messages have the same `unique_key`."""

import threading
from datetime import timedelta

import psycopg
import pytest

from tpq.table import Receipt

HOUR = timedelta(hours=1)


@pytest.fixture
def put_unique(table):
    """Put a message with a key; its id, or None when it was refused."""
    return lambda key="k", **columns: table.put({"body": "1", "unique_key": key, **columns}, unique=True)


@pytest.fixture
def claimed(table, put_unique):
    """The receipt of a claimed message with the key."""

    put_unique()
    (message,) = table.claim(1, 1)
    return Receipt(message.id, message.claim_no)


def test_the_second_message_of_a_key_is_refused(put_unique, table):
    put_unique()
    assert (put_unique(), table.count()) == (None, 1)


def test_messages_of_different_keys_are_not_refused(put_unique):
    assert None not in (put_unique("a"), put_unique("b"))


def test_messages_without_a_key_are_not_refused(put_unique):
    assert None not in (put_unique(None), put_unique(None))


def test_a_refusal_does_not_break_the_callers_transaction(conn, table, put_unique):
    with conn.transaction():
        put_unique()
        put_unique()
        put_unique("other")
    assert table.count() == 2


def test_a_taken_key_is_an_error_for_who_did_not_ask_to_be_refused(table, put_unique):
    put_unique()
    with pytest.raises(psycopg.errors.UniqueViolation):
        table.put({"body": "1", "unique_key": "k"})


def test_a_claimed_message_holds_its_key(claimed, put_unique):
    assert put_unique() is None


def test_a_delayed_message_holds_its_key(table, put_unique):
    table.put({"body": "1", "unique_key": "k"}, HOUR, unique=True)
    assert put_unique() is None


@pytest.mark.parametrize(
    "settle",
    [
        lambda table, receipt: table.release([receipt]),
        lambda table, receipt: table.retry([receipt], [HOUR], [None]),
        lambda table, receipt: table.reclaim([1]),
    ],
    ids=["release", "retry", "reclaim"],
)
def test_a_message_given_back_holds_its_key(table, claimed, put_unique, settle):
    settle(table, claimed)
    assert put_unique() is None


@pytest.mark.parametrize(
    "settle",
    [lambda table, receipt: table.ack([receipt]), lambda table, receipt: table.bury([receipt], ["bad"])],
    ids=["ack", "bury"],
)
def test_a_message_that_has_ended_leaves_its_key_free(table, claimed, put_unique, settle):
    settle(table, claimed)
    assert put_unique() is not None


def test_a_message_taken_by_get_leaves_its_key_free(table, put_unique):
    put_unique()
    table.get()
    assert put_unique() is not None


def test_a_refused_put_is_allowed_after_clear(table, put_unique):
    put_unique()
    table.clear()
    assert put_unique() is not None


@pytest.mark.parametrize(("outcome", "refused"), [("commit", True), ("rollback", False)])
def test_a_producer_waits_for_a_twin_in_an_open_transaction(
    conn, connect, table, table_on, eventually, outcome, refused
):
    twin, producer = connect(autocommit=False), connect()
    values, ids = {"body": "1", "unique_key": "k"}, []
    table_on(twin).put(values, unique=True)
    thread = threading.Thread(target=lambda: ids.append(table_on(producer).put(values, unique=True)))
    thread.start()

    def waits():
        query = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
        assert conn.execute(query, [producer.info.backend_pid]).fetchone() == ("Lock",)

    eventually(waits)
    getattr(twin, outcome)()
    thread.join(10)
    assert [number is None for number in ids] == [refused]
