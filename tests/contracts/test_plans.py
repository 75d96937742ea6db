"""What runs all the time reads indexes, whatever the statistics say, and looks at few rows."""

import json

import pytest
from psycopg import sql

from django_tpq.main.connections import connect
from tests.testapp.models import PlainQueue
from tpq import schema
from tpq.floors import EVERYWHERE, _levels
from tpq.statements import compose
from tpq.table import QueueTable

ROWS = 100_000

STATEMENTS = {
    "get": {"count": 3},
    "get_due": {"count": 3},
    "peek": {"count": 3},
    "claim": {"count": 3, "consumer": 1, "lane": 0, "lows": [1, 0], "highs": [9, 0], "floors": [-1, -1]},
    "exchange": {
        "count": 3,
        "consumer": 1,
        "lane": 0,
        "lows": [1, 0],
        "highs": [9, 0],
        "floors": [-1, -1],
        "ids": [70, 71],
        "claim_no": 0,
    },
    "claim_suspects": {"count": 1, "consumer": 1, "lanes": [0, 1], "losses": 1},
    "lease": {"count": 3, "lease": "1 minute", "lane": 0},
    "promote": {"count": 500, "window": None},
    "suspects": {"lanes": [0, 1]},
    "next_due": {"window": None},
    "purge": {"count": 3},
    "ack": {"ids": [70, 71], "claim_no": 0},
    "release": {"ids": [70, 71], "claim_no": 0},
    "extend": {"ids": [70, 71], "claim_no": 0, "lease": "1 minute"},
    "bury": {"ids": [70, 71], "claim_nos": [0, 0], "errors": ["", ""], "types": [], "keep": None},
    "retry": {
        "ids": [70],
        "claim_nos": [0],
        "delays": ["1 minute"],
        "errors": [""],
        "types": [],
        "counts": 1,
    },
}

FILLS = {
    "ready": "INSERT INTO {} (body) SELECT 'null' FROM generate_series(1, %(rows)s)",
    "far in the future": "INSERT INTO {} (body, state, due_at, priority)"
    " SELECT 'null', 'waiting', now() + interval '1 day', 9 FROM generate_series(1, %(rows)s)",
    "held by consumers": "INSERT INTO {} (body, state, claimed_by)"
    " SELECT 'null', 'claimed', 1 FROM generate_series(1, %(rows)s)",
    "dead": "INSERT INTO {} (body, state) SELECT 'null', 'dead' FROM generate_series(1, %(rows)s)",
}

SMALL = 500
"""Rows, read and thrown away, that a statement may look at; more is a walk over the table."""


def parts(plan):
    yield plan
    for inner in plan.get("Plans", ()):
        yield from parts(inner)


@pytest.fixture(scope="module", params=[*FILLS, "stale"])
def full(request, session_conn):
    """A queue with 100,000 messages of one kind and a few ready ones; `stale`: analyzed when it was empty."""
    name = "plans"
    schema.create(name, session_conn.cursor)
    session_conn.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")
    if request.param == "stale":
        session_conn.execute(f"ANALYZE {name}")
    fill = FILLS.get(request.param, FILLS["ready"])
    session_conn.execute(sql.SQL(fill).format(sql.Identifier(name)), {"rows": ROWS})
    session_conn.execute(f"INSERT INTO {name} (body) VALUES ('1'), ('2'), ('3')")
    if request.param != "stale":
        session_conn.execute(f"ANALYZE {name}")
    yield name
    schema.drop(name, session_conn.cursor)


def explained(connection, name, table, values=None):
    statement = compose(name, table, returning=("id", "body"))
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF) {statement}"
    with connection.transaction(force_rollback=True):
        row = connection.execute(explain, STATEMENTS[name] if values is None else values).fetchone()
    assert row is not None
    plan = row[0] if isinstance(row[0], list) else json.loads(row[0])
    return list(parts(plan[0]["Plan"]))


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_hot_statement_walks_over_the_table(session_conn, full, name):
    found = explained(session_conn, name, full)
    assert not [part["Node Type"] for part in found if part["Node Type"] == "Seq Scan"]


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_hot_statement_looks_at_rows_in_vain(session_conn, full, name):
    thrown = [part.get("Rows Removed by Filter", 0) for part in explained(session_conn, name, full)]
    assert max(thrown) <= SMALL


LEVELS = {
    "everywhere": EVERYWHERE,
    "one floor": _levels({0: ROWS // 2}),
    "a floor behind all": _levels({0: 10 * ROWS}),
    "floors around": _levels({9: 0, 5: ROWS, -5: 0}),
    "all floors": _levels(dict.fromkeys(range(-4, 4), ROWS)),
}


@pytest.mark.parametrize("levels", LEVELS.values(), ids=LEVELS)
def test_a_claim_above_floors_finds_few_rows_by_an_index_and_in_its_order(session_conn, full, levels):
    found = explained(session_conn, "claim", full, {"count": 3, "consumer": 1, "lane": 0, **levels._asdict()})
    assert not {"Seq Scan", "Sort"} & {part["Node Type"] for part in found}
    assert max(part["Actual Rows"] * part["Actual Loops"] for part in found) <= 50
    assert max(part.get("Rows Removed by Filter", 0) for part in found) <= 50


@pytest.fixture
def own(transactional_db):
    """A connection of the kind that executors have."""
    with connect("default") as connection:
        yield connection


def test_what_was_planned_for_an_empty_queue_finds_few_rows_of_a_full_one(own):
    table = QueueTable.of_messages(PlainQueue._meta.db_table, own.cursor)
    for _ in range(12):
        look_at(table)
    table.put_many(["1"] * 5000, 0, None)
    with own.transaction():
        look_at(table)
        walked = "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relname = %s"
        assert own.execute(walked, [table.name]).fetchone() == (0,)


def look_at(table):
    """What an executor does again and again."""
    messages = table.claim(1, 3)
    table.ack([(message.id, message.claim_no) for message in messages])
    table.promote()
    table.next_due()
    table.has_suspects()
