"""No claim ever takes more rows than asked.

`… IN (SELECT … LIMIT 3 FOR UPDATE SKIP LOCKED)` does, when the statistics say that the queue is empty and then
it fills: the planner puts the locking subquery inside a nested loop, and each turn of the loop locks the next
three. Every claiming statement is tried in that situation, with the planner left alone and pushed about.
"""

import itertools
import re
from datetime import timedelta
from importlib import resources

import pytest
from psycopg import sql

from tpq import schema
from tpq.exchange import Along, ExchangeTable
from tpq.floors import EVERYWHERE, Floors, _levels
from tpq.keys import KeyTable
from tpq.progress import ProgressTable
from tpq.results import ResultTable
from tpq.table import QueueTable, Receipt

HOUR = timedelta(hours=1)
ASKED = 3

READY = "state = 'ready'"
SUSPECT = "state = 'ready', deliveries = 1"
DUE = "state = 'waiting', due_at = now() - interval '1 minute'"
LOST_LEASE = "state = 'claimed', claimed_by = 0, due_at = now() - interval '1 minute'"
KEPT = "state = 'dead', due_at = now() - interval '1 minute'"
HELD = "state = 'claimed', claimed_by = 5"


def exchange(table):
    """A claim that goes along with the ack of three that were held."""
    both = ExchangeTable(table.name, table._cursor, table.columns, table._row)
    with table._cursor() as cursor:
        name = sql.Identifier(table.name)
        cursor.execute(
            sql.SQL("UPDATE {} SET state = 'claimed', claimed_by = 5 WHERE id IN (1, 2, 3)").format(name)
        )
    with both.claiming(Along(1, ASKED, Floors())):
        assert both.ack([Receipt(number, 0) for number in (1, 2, 3)]) == {1, 2, 3}
    return both.found()


CLAIMS = {
    "get": [(READY, lambda table: table.get(ASKED))],
    "get_due": [(DUE, lambda table: table.get(ASKED))],
    "claim": [(READY, lambda table: table.claim(1, ASKED))],
    "exchange": [(READY, exchange)],
    "claim_suspects": [(SUSPECT, lambda table: table.claim_suspects(1, ASKED))],
    "lease": [(READY, lambda table: table.lease(HOUR, ASKED))],
    "promote": [(DUE, lambda table: table.promote(ASKED)), (LOST_LEASE, lambda table: table.promote(ASKED))],
    "purge": [(KEPT, lambda table: range(table.purge(ASKED)))],
}
"""Every claiming statement of a queue: the rows it takes, and how it is asked for three."""

NAMED = {
    "requeue": [(KEPT, lambda table: table.requeue(range(201, 201 + ASKED)))],
    "discard": [(KEPT, lambda table: table.discard(range(201, 201 + ASKED)))],
    "reclaim": [(HELD, lambda table: table.reclaim([9] if hand(table, 9) else []))],
    "ack": [(HELD, lambda table: table.ack(receipts(table)))],
    "retry": [(HELD, lambda table: table.retry(receipts(table), [HOUR] * 3, [None] * 3))],
}
"""What takes rows by name must not take others either."""

ELSEWHERE = {
    "clear": "takes all it can get",
    "consumers/overdue": "takes all that are overdue",
    "results/purge": "is tried below, on a table of results",
    "progress/purge": "is tried below, on a table of progress",
    "keys/purge": "is tried below, on a table of keys",
    "schedules/lock": "takes the one that it is told",
    "schedules/report": "changes the one that it is told",
    "schedules/rename": "changes one, whose new name is unique",
}

SWITCHES = ("hashjoin", "mergejoin", "material", "indexscan", "bitmapscan", "seqscan")


def hand(table, consumer):
    """Hand three of the held messages to a consumer."""
    with table._cursor() as cursor:
        name = sql.Identifier(table.name)
        query = sql.SQL("UPDATE {} SET claimed_by = %s WHERE id IN (201, 202, 203)").format(name)
        return cursor.execute(query, [consumer])


def receipts(_table):
    return [Receipt(number, 0) for number in range(201, 201 + ASKED)]


def claiming():
    """The names of the statements that claim: that skip what others hold, or change a limited number of rows."""
    root = resources.files("tpq").joinpath("sql")
    texts = {
        f"{prefix}{file.name}".removesuffix(".sql"): file.read_text("utf-8") for prefix, file in walk(root)
    }
    limited = re.compile(
        r"\b(UPDATE|DELETE)\b.*\bLIMIT\b|\bLIMIT\b.*\b(UPDATE|DELETE)\b|SKIP LOCKED", re.DOTALL
    )
    return {
        name for name, text in texts.items() if "{claim}" in text or limited.search(re.sub("--.*", "", text))
    }


def walk(folder, prefix=""):
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix, entry


@pytest.fixture(scope="module")
def stale(session_conn):
    """A queue whose statistics say that it is empty of what has just come: set what that is."""
    name = "stale_statistics"
    schema.create(name, session_conn.cursor)
    session_conn.execute(f"ALTER TABLE {name} SET (autovacuum_enabled = off)")

    def stale(arrived):
        other = "state = 'dead'" if "dead" not in arrived else "state = 'waiting'"
        session_conn.execute(f"TRUNCATE {name} RESTART IDENTITY")
        session_conn.execute(f"INSERT INTO {name} (body) SELECT 'null' FROM generate_series(1, 200)")
        session_conn.execute(f"UPDATE {name} SET {other}")
        session_conn.execute(f"ANALYZE {name}")
        session_conn.execute(
            f"INSERT INTO {name} (id, body) SELECT 200 + n, 'null' FROM generate_series(1, 100) n"
        )
        session_conn.execute(f"UPDATE {name} SET {arrived} WHERE id > 200")
        return QueueTable.of_messages(name, session_conn.cursor)

    yield stale
    schema.drop(name, session_conn.cursor)


def ways():
    """The planner left alone, and with each combination of its joins and scans switched off."""
    for switched in itertools.product([(), "off"], repeat=len(SWITCHES)):
        yield [f"enable_{name}" for name, off in zip(SWITCHES, switched, strict=True) if off]


claims = pytest.mark.parametrize(
    ("arrived", "claim"),
    [
        pytest.param(*how, id=f"{name}-{n}")
        for name, hows in (CLAIMS | NAMED).items()
        for n, how in enumerate(hows)
    ],
)


def test_every_claiming_statement_is_tried_here():
    assert claiming() - NAMED.keys() == CLAIMS.keys() | ELSEWHERE.keys()


@pytest.mark.parametrize(
    "known_bad",
    [
        "UPDATE {} SET claimed_by = 1, state = 'claimed' WHERE state = 'ready' AND id IN ({})",
        "UPDATE {} m SET claimed_by = 1, state = 'claimed' FROM ({}) f WHERE m.id = f.id AND state = 'ready'",
        "DELETE FROM {} WHERE state = 'ready' AND id IN ({})",
    ],
    ids=["in", "from", "delete"],
)
def test_the_form_known_to_be_bad_takes_too_many_in_this_very_situation(stale, session_conn, known_bad):
    table = stale(READY)
    inner = (
        "SELECT id FROM {} WHERE state = 'ready' ORDER BY priority DESC, seq LIMIT 3 FOR UPDATE SKIP LOCKED"
    )
    name = sql.Identifier(table.name)
    query = sql.SQL(known_bad).format(name, sql.SQL(inner).format(name))
    with session_conn.transaction(force_rollback=True):
        assert session_conn.execute(query).rowcount > ASKED


@claims
def test_a_claim_takes_as_many_as_asked_however_it_is_planned(stale, session_conn, arrived, claim):
    table, taken = stale(arrived), {}
    for switched in ways():
        with session_conn.transaction(force_rollback=True):
            session_conn.execute(
                "SET LOCAL jit = off"
            )  # what is switched off costs so much that it looks worth it
            for name in switched:
                session_conn.execute(f"SET LOCAL {name} = off")
            taken[tuple(switched)] = len(list(claim(table)))
    assert set(taken.values()) == {ASKED}


@claims
@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_a_claim_takes_as_many_as_asked_when_it_is_prepared(
    stale, session_conn, arrived, claim, mode, monkeypatch
):
    monkeypatch.setattr(session_conn, "prepare_threshold", 0)
    table = stale(arrived)
    for _ in range(3):
        with session_conn.transaction(force_rollback=True):
            session_conn.execute(f"SET LOCAL plan_cache_mode = {mode}")
            assert len(list(claim(table))) == ASKED


@claims
def test_a_claim_changes_no_more_rows_than_it_reports(stale, session_conn, arrived, claim):
    table = stale(arrived)
    before = session_conn.execute(f"SELECT * FROM {table.name}").fetchall()
    with session_conn.transaction(force_rollback=True):
        claim(table)
        after = session_conn.execute(f"SELECT * FROM {table.name}").fetchall()
    others = 3 if claim is exchange else 0  # those it finishes
    assert len(set(map(str, before)) - set(map(str, after))) <= ASKED + others


def test_a_claim_of_many_takes_as_many(stale):
    table = stale(READY)
    assert [len(table.claim(1, 70)), len(table.claim(1, 70))] == [70, 30]


def test_settling_a_stale_queue_settles_what_was_claimed(stale):
    table = stale(READY)
    receipts = [Receipt(message.id, message.claim_no) for message in table.claim(1, ASKED)]
    assert (table.ack(receipts), table.count()) == ({receipt.id for receipt in receipts}, 97)


PURGES = {
    "results": (
        "(token text PRIMARY KEY, record bytea, over_at timestamptz)",
        lambda name, cursor: ResultTable(name, cursor).purge(ASKED),
        "expires_at",
    ),
    "progress": (
        "(token text PRIMARY KEY, text text, over_at timestamptz)",
        lambda name, cursor: ProgressTable(name, cursor).purge(timedelta(0), ASKED),
        "at",
    ),
    "keys": (
        "(key text PRIMARY KEY, queue text, over_at timestamptz)",
        lambda name, cursor: KeyTable(cursor, name=name).purge(ASKED),
        "until",
    ),
}


@pytest.mark.parametrize("purge", PURGES.values(), ids=PURGES)
def test_purging_takes_as_many_as_asked(session_conn, purge):
    columns, run, over_at = purge
    name = "stale_rows"
    with session_conn.transaction(force_rollback=True):
        session_conn.execute(f"CREATE TABLE {name} {columns.replace('over_at', over_at)}")
        session_conn.execute(f"CREATE INDEX ON {name} ({over_at})")
        fill = f"INSERT INTO {name} SELECT n, '', now() + %s FROM generate_series(%s::int, %s) n"
        session_conn.execute(fill, [HOUR, 1, 200])
        session_conn.execute(f"ANALYZE {name}")
        session_conn.execute(fill, [-HOUR, 201, 300])
        assert run(name, session_conn.cursor) == ASKED
        assert session_conn.execute(f"SELECT count(*) FROM {name}").fetchone() == (300 - ASKED,)


# Claims above floors --------------------------------------------------------------------------------------

OF_FIVE = "state = 'ready', priority = id % 5"
"""A hundred messages at the places from 201 to 300, of the priorities from 0 to 4."""

FLOORS = {
    "none": {},
    "from one level into a range": {4: 290, 2: 230},
    "over levels without any": {4: 300, 3: 300, 2: 295, 1: 300, 0: 0},
    "ranges around levels without any": {9: 0, -5: 0},
    "a range of one between two": {4: 300, 2: 0},
    "in the last range": {4: 300, 3: 300, 2: 300},
    "fewer than asked": {4: 300, 3: 300, 2: 300, 1: 291, 0: 300},
    "as many as are known": dict.fromkeys(range(-2, 5), 300) | {100: 0},
}
"""The highest places that were claimed, by priority."""

each_floors = pytest.mark.parametrize("places", FLOORS.values(), ids=FLOORS)


class Still:
    """Floors that stay where they are."""

    def __init__(self, places):
        self._levels = _levels(places) if places else EVERYWHERE

    def levels(self, _count):
        return self._levels

    def claimed(self, rows):
        assert sorted(rows, key=lambda row: (-row[0], row[1])) == rows


def first_above(places):
    """The first three above these floors, in their order."""
    above = [place for place in range(201, 301) if place > places.get(place % 5, -1)]
    return sorted(above, key=lambda place: (-(place % 5), place))[:ASKED]


def ids(messages):
    return [message.id for message in messages]


@pytest.fixture
def other(connect):
    """Somebody else's connection."""
    return connect()


@each_floors
def test_a_claim_above_floors_takes_the_first_and_locks_no_others_however_it_is_planned(
    stale, session_conn, other, places
):
    table, expected = stale(OF_FIVE), first_above(places)
    for switched in ways():
        with session_conn.transaction(force_rollback=True):
            session_conn.execute("SET LOCAL jit = off")
            for name in switched:
                session_conn.execute(f"SET LOCAL {name} = off")
            assert ids(table.claim(1, ASKED, Still(places))) == expected
            assert sorted([*expected, *free(table, other)]) == list(range(201, 301))


def free(table, other):
    """What somebody else could claim now."""
    query = sql.SQL("SELECT id FROM {} WHERE state = 'ready' FOR UPDATE SKIP LOCKED")
    with other.transaction(force_rollback=True):
        return [row[0] for row in other.execute(query.format(sql.Identifier(table.name)))]


@each_floors
@pytest.mark.parametrize("mode", ["force_generic_plan", "force_custom_plan"])
def test_a_claim_above_floors_takes_the_first_when_it_is_prepared(
    stale, session_conn, places, mode, monkeypatch
):
    monkeypatch.setattr(session_conn, "prepare_threshold", 0)
    table = stale(OF_FIVE)
    for _ in range(3):
        with session_conn.transaction(force_rollback=True):
            session_conn.execute(f"SET LOCAL plan_cache_mode = {mode}")
            assert ids(table.claim(1, ASKED, Still(places))) == first_above(places)


@each_floors
def test_what_one_claim_above_floors_leaves_the_next_one_takes(stale, other, places):
    table = stale(OF_FIVE)
    second = QueueTable.of_messages(table.name, other.cursor)
    with other.transaction():
        mine = ids(second.claim(1, ASKED, Still(places)))
        others = ids(table.claim(2, 100))
    assert (sorted(mine + others), mine) == (list(range(201, 301)), first_above(places))
