"""An ack that takes a claim along: one statement, with what each would have done by itself."""

from datetime import timedelta
from types import SimpleNamespace

import psycopg
import pytest

from tests.fixtures.consumer import exchange_of_messages
from tpq import schema
from tpq.exchange import Along
from tpq.floors import EVERYWHERE, Floors
from tpq.table import Receipt

US, OTHERS = 7, 8


@pytest.fixture
def exchange(conn, table):
    """The queue, for those who finish and claim in turn."""
    return exchange_of_messages(table.name, conn.cursor)


@pytest.fixture
def held(exchange, put):
    """The receipts of some messages that we have claimed."""

    def held(count):
        for number in range(count):
            put(f"held {number}")
        return [Receipt(message.id, message.claim_no) for message in exchange.claim(US, count)]

    return held


def swap(exchange, receipts, room=10, floors=None):
    """The ids whose receipts held, and what was claimed along."""
    with exchange.claiming(Along(US, room, floors or Floors())):
        ids = exchange.ack(receipts)
    return ids, [message.body for message in exchange.found()]


def test_both_happen(exchange, held, put, conn):
    receipts = held(2)
    put("next")
    assert swap(exchange, receipts) == ({r.id for r in receipts}, ["next"])
    assert conn.execute(f"SELECT state, claimed_by, claim_no FROM {exchange.name}").fetchall() == [
        ("claimed", US, 1)
    ]


def test_both_are_one_statement(exchange, held, put, monkeypatch):
    receipts, sent, rows = held(2), [], exchange._rows
    put("next")
    monkeypatch.setattr(exchange, "_rows", lambda *given: sent.append(given) or rows(*given))
    swap(exchange, receipts)
    assert len(sent) == 1


def test_what_comes_along_is_in_order_and_no_more_than_asked(exchange, held, put):
    receipts = held(1)
    for number in range(5):
        put(number, priority=number % 2)
    assert swap(exchange, receipts, room=3)[1] == [1, 3, 0]


def test_without_anything_to_claim_the_receipts_hold(exchange, held, conn):
    receipts = held(3)
    assert swap(exchange, receipts) == ({r.id for r in receipts}, [])
    assert conn.execute(f"SELECT FROM {exchange.name}").fetchall() == []


def test_what_is_being_finished_is_not_claimed(exchange, held):
    assert swap(exchange, held(1))[1] == []
    assert exchange.claim(US, 10) == []


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_late_receipt_is_none_and_the_claim_is_not_touched_by_it(exchange, held, put, conn, lost):
    receipts = held(3)
    put("next")
    late = receipts[: lost + 1]
    conn.execute(f"UPDATE {exchange.name} SET claim_no = 2 WHERE id = ANY(%s)", [[r.id for r in late]])
    assert swap(exchange, receipts) == ({r.id for r in receipts} - {r.id for r in late}, ["next"])


def test_a_late_receipt_with_nothing_to_claim(exchange, held, conn):
    receipts = held(2)
    conn.execute(f"UPDATE {exchange.name} SET claimed_by = {OTHERS}, claim_no = 2")
    assert swap(exchange, receipts) == (set(), [])


def test_receipts_of_two_claim_numbers_take_nothing_along(exchange, held, put):
    first, second = held(2)
    exchange.release([second])
    (again,) = exchange.claim(US, 1)
    put("next")
    receipts = [first, Receipt(again.id, again.claim_no)]
    assert swap(exchange, receipts) == ({first.id, second.id}, [])
    assert [message.body for message in exchange.claim(US, 10)] == ["next"]


def test_the_second_ack_of_a_block_takes_nothing_along(exchange, held, put):
    first, second = held(2)
    put("next")
    put("the one after")
    with exchange.claiming(Along(US, 1, Floors())):
        exchange.ack([first])
        exchange.ack([second])
    assert [message.body for message in exchange.found()] == ["next"]
    assert [message.body for message in exchange.claim(US, 10)] == ["the one after"]


def test_what_came_along_is_told_once(exchange, held, put):
    receipts = held(1)
    put("next")
    assert swap(exchange, receipts)[1] == ["next"]
    assert not exchange.found()


def test_after_a_rollback_nothing_came_along_and_nothing_goes(exchange, held, put, conn):
    first, second = held(2)
    put("next")
    told = []
    floors = SimpleNamespace(levels=lambda room: EVERYWHERE, claimed=told.append)
    with exchange.claiming(Along(US, 10, floors)):
        with conn.transaction():
            exchange.ack([first])
            raise psycopg.Rollback
        exchange.undone()
        exchange.ack([second])
    assert not exchange.found()
    assert told == []
    assert exchange.count("ready") == 1


def test_a_claim_that_nobody_took_along_does_not_go_later(exchange, held, put):
    receipts = held(1)
    put("next")
    with exchange.claiming(Along(US, 10, Floors())):
        pass
    exchange.ack(receipts)
    assert not exchange.found()


def test_an_ack_that_fails_claims_nothing(exchange, held, put, conn):
    receipts = held(1)
    put("next")
    conn.execute(
        "CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        f"CREATE TRIGGER refuse BEFORE DELETE ON {exchange.name} EXECUTE FUNCTION pg_temp.refuse()"
    )
    with pytest.raises(psycopg.errors.RaiseException):
        swap(exchange, receipts)
    assert not exchange.found()
    assert conn.execute(f"SELECT state FROM {exchange.name} ORDER BY id").fetchall() == [
        ("claimed",),
        ("ready",),
    ]


def test_its_floors_are_asked_and_told(exchange, held, put):
    receipts, asked, told = held(1), [], []
    put("next")
    floors = SimpleNamespace(levels=lambda room: asked.append(room) or EVERYWHERE, claimed=told.append)
    swap(exchange, receipts, 4, floors)
    ((row,),) = told
    assert (asked, row[0], row[1] > 0) == ([4], 0, True)


def test_what_falls_due_later_and_suspects_stay(exchange, held, put):
    receipts = held(1)
    put("later", timedelta(hours=1))
    put("suspect", deliveries=1)
    assert swap(exchange, receipts)[1] == []


@pytest.mark.parametrize("name", ['100 % "quoted"', "claimed", "settled"])
def test_any_name_will_do(conn, name):
    schema.create(name, conn.cursor)
    try:
        table = exchange_of_messages(name, conn.cursor)
        table.put_many(["1", "2"], 0, None)
        (message,) = table.claim(US, 1)
        assert swap(table, [Receipt(message.id, message.claim_no)]) == ({message.id}, [2])
    finally:
        schema.drop(name, conn.cursor)
