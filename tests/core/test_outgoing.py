"""A batch that the server refuses: one odd message keeps nobody."""

from collections import deque

import psycopg
import pytest

from tests.fixtures.consumer import exchange_of_messages
from tpq.buffer import Item
from tpq.exchange import Along
from tpq.floors import EVERYWHERE, Floors
from tpq.outgoing import Outgoing
from tpq.table import Receipt


class AllOrNothing:
    """A handler that settles in a transaction, which fails for more than one."""

    def settle(self, connection, ended, *, again):
        with connection.transaction():
            for table in {table for table, _, _ in ended}:
                table.ack([Receipt(message.id, message.claim_no) for _, message, _ in ended])
            if len(ended) > 1:
                raise psycopg.errors.UniqueViolation


class Choosy:
    """A handler whose statements fail for some bodies."""

    def __init__(self, bad, error=psycopg.DataError):
        self.bad, self.error, self.batches = bad, error, []

    def settle(self, connection, ended, *, again):
        self.batches.append((len(ended), again))
        if any(message.body == self.bad for _, message, _ in ended):
            raise self.error(f"no room for {self.bad}")
        for table, message, _ in ended:
            table.ack([Receipt(message.id, message.claim_no)])


@pytest.fixture
def exchange(conn, table):
    """The queue, for those who finish and claim in turn."""
    return exchange_of_messages(table.name, conn.cursor)


@pytest.fixture
def leave(conn, table, exchange, put):
    """Put, claim and settle messages by a handler; what was settled."""

    def leave(handler, *bodies):
        for body in bodies:
            put(body)
        outbox = deque((Item(0, message, 0, 0.0, 0), True) for message in table.claim(1, 100))
        outgoing = Outgoing(handler, outbox)
        outgoing.gather()
        return outgoing, lambda: outgoing.settle(conn, [exchange])

    return leave


def test_the_others_are_settled_and_the_odd_one_is_a_dead_letter_that_says_why(leave, table, caplog):
    handler = Choosy("odd")
    outgoing, settle = leave(handler, "one", "odd", "two")
    assert [item.message.body for item in settle()] == ["one", "odd", "two"]
    assert handler.batches == [(3, False), (1, True), (1, True), (1, True)]
    assert (len(outgoing), outgoing.is_again) == (0, False)
    assert (table.count("claimed"), table.count("dead")) == (0, 1)
    assert "is given up: its end can not be kept: " in caplog.text
    assert "no room" not in caplog.text  # a server's own words would be shown, but no values


def test_one_that_can_not_even_be_given_up_stays_with_us(leave, table, conn, caplog):
    _, settle = leave(Choosy("odd"), "odd", "one")
    conn.execute(f"UPDATE {table.name} SET attempt = 2147483647 WHERE body = '\"odd\"'")
    assert len(settle()) == 2
    assert (table.count("claimed"), table.count("dead")) == (1, 0)
    assert "stays claimed until this process ends" in caplog.text


@pytest.mark.parametrize("error", [psycopg.OperationalError, psycopg.ProgrammingError, psycopg.InternalError])
def test_what_may_go_better_the_next_time_is_kept_whole(leave, table, error):
    outgoing, settle = leave(Choosy("odd", error), "one", "odd")
    with pytest.raises(error):
        settle()
    assert (len(outgoing), outgoing.is_again, table.count("claimed")) == (2, True, 2)


def test_what_was_claimed_along_with_a_batch_that_was_refused_was_not_claimed(leave, exchange, put, conn):
    _, settle = leave(AllOrNothing(), "one", "two")
    put("next")
    floors = Floors()
    with exchange.claiming(Along(1, 10, floors)):
        assert len(settle()) == 2
    assert not exchange.found()
    assert conn.execute(f"SELECT body::text, state FROM {exchange.name}").fetchall() == [('"next"', "ready")]
    assert floors.levels(10) == EVERYWHERE
