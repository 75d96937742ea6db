"""A transaction that lasts and lasts: while it does, rows that are gone stay in the indexes."""

import pytest
from psycopg import sql

from tpq.floors import EVERYWHERE, Floors, _levels
from tpq.statements import compose, identifier
from tpq.table import Receipt

FEW, MANY = 2_000, 20_000
SAME = 20
"""Blocks more or less that say nothing."""


@pytest.fixture
def snapshot(conn, connect, table):
    """Another connection holds all rows that are there from now on, and nobody cleans up."""
    conn.execute(f"ALTER TABLE {table.name} SET (autovacuum_enabled = off)")
    other = connect()
    with other.transaction():
        other.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        other.execute("SELECT 1")
        yield


@pytest.fixture
def blocks(conn, table, put):
    """How many blocks a statement touches."""

    def blocks(name, **values):
        statement = compose(name, table.name, returning=("id", "body"))
        with conn.transaction(force_rollback=True):
            put("one")
            query = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}"
            plan = conn.execute(query, values).fetchone()[0][0]["Plan"]
        return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]

    return blocks


@pytest.fixture
def work_off(table, last_place, eventually):
    """Put so many messages, claim and settle them; with floors."""
    above = Floors()

    def work_off(count):
        table.put_many(["1"] * count, 0, None)
        while messages := table.claim(1, 1000, above):
            table.ack([Receipt(message.id, message.claim_no) for message in messages])

        def are_risen():
            assert table.claim(1, 1, above) == []
            assert above._floors.get(0) == last_place()

        eventually(are_risen)
        return _levels(above._floors)

    return work_off


def test_a_claim_above_the_floors_touches_no_more_blocks_than_ever(snapshot, work_off, blocks):
    few, many = (claims(work_off(count), blocks) for count in (FEW, MANY))
    assert many["above"] <= few["above"] + SAME
    assert many["everywhere"] > few["everywhere"] + 100  # the control


def claims(levels, blocks):
    ask = {"consumer": 1, "count": 1, "lane": 0}
    return {
        "above": blocks("claim", **ask, **levels._asdict()),
        "everywhere": blocks("claim", **ask, **EVERYWHERE._asdict()),
    }


@pytest.fixture
def fall_due(conn, table):
    """Let so many messages fall due, and be brought back."""

    def fall_due(count):
        fill = (
            "INSERT INTO {} (body, state, due_at) SELECT 'null', 'waiting', now() FROM generate_series(1, %s)"
        )
        conn.execute(sql.SQL(fill).format(identifier(table.name)), [count])
        conn.execute(f"UPDATE {table.name} SET state = 'ready', due_at = NULL WHERE state = 'waiting'")

    return fall_due


@pytest.mark.parametrize(("name", "ask"), [("promote", {"count": 500}), ("next_due", {})])
def test_a_look_through_a_window_touches_no_more_blocks_than_ever(snapshot, fall_due, blocks, name, ask):
    few, many = (looks(fall_due(count), blocks, name, ask) for count in (FEW, MANY))
    assert many["window"] <= few["window"] + SAME
    assert many["everywhere"] > few["everywhere"] + 100  # the control


def looks(_, blocks, name, ask):
    return {
        "window": blocks(name, **ask, window="0 seconds"),
        "everywhere": blocks(name, **ask, window=None),
    }
