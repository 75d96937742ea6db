"""Installing, reading, renaming and undoing what a queue's table needs."""

import threading
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from tpq import schema
from tpq.errors import UnknownQueue
from tpq.queue import Queue
from tpq.statements import compose
from tpq.table import QueueTable


def plain(conn, name):
    """A queue's table that nobody has installed, as plain makemigrations leaves it."""
    conn.execute(compose("schema/001_create", name), {})


def install(conn, name, *, undo=False):
    conn.execute(schema.install_statement(name, 1, undo=undo), {})


def objects(conn, name):
    """What belongs to a table: its indexes, constraints and triggers, by name."""
    query = """
        SELECT conname FROM pg_constraint WHERE conrelid = %(name)s::regclass
        UNION SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %(name)s::regclass
        UNION SELECT tgname FROM pg_trigger WHERE tgrelid = %(name)s::regclass
    """
    return {row[0] for row in conn.execute(query, {"name": name})}


def test_a_created_queue_has_this_version(conn, table):
    assert schema.version(table.name, conn.cursor) == schema.VERSION


def test_a_missing_table_has_no_version(conn):
    assert schema.version("nowhere", conn.cursor) is None


def test_a_table_that_was_not_installed_has_no_version(conn, table_name):
    plain(conn, table_name)
    assert schema.version(table_name, conn.cursor) is None


def test_a_renamed_table_keeps_its_version(conn, table):
    with conn.transaction(force_rollback=True):
        conn.execute(f"ALTER TABLE {table.name} RENAME TO renamed")
        assert schema.version("renamed", conn.cursor) == schema.VERSION


def test_a_queue_fulfils_what_is_required(conn, table):
    schema.require(table.name, conn.cursor, "do something")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda conn, name: None, "does not exist: do something"),
        (plain, "has not been installed as a queue: do something"),
    ],
)
def test_what_is_missing_is_said_with_what_to_do(conn, table_name, make, said):
    make(conn, table_name)
    with pytest.raises(UnknownQueue, match=said):
        schema.require(table_name, conn.cursor, "do something")


def test_an_older_version_is_said_with_what_to_do(conn, table, monkeypatch):
    installed = schema.VERSION
    monkeypatch.setattr(schema, "VERSION", 99)
    with pytest.raises(UnknownQueue, match=f"at version {installed}, not 99: do something"):
        schema.require(table.name, conn.cursor, "do something")


def test_rows_that_are_there_already_are_numbered_in_their_order(conn, table_name):
    plain(conn, table_name)
    conn.execute(f"INSERT INTO {table_name} (body) SELECT to_jsonb(n) FROM generate_series(1, 20) n")
    conn.execute(f"UPDATE {table_name} SET body = body WHERE id % 3 = 0")  # they move in the heap
    install(conn, table_name)
    table = QueueTable.of_messages(table_name, conn.cursor)
    table.put({"body": "21"})
    assert [message.body for message in table.get(30)] == list(range(1, 22))


def test_undoing_leaves_the_rows(conn, table, put):
    put()
    install(conn, table.name, undo=True)
    assert conn.execute(f"SELECT count(*) FROM {table.name}").fetchone() == (1,)


def test_undoing_leaves_the_table_as_it_was_before(conn, table):
    install(conn, table.name, undo=True)
    before = objects(conn, table.name)
    conn.execute(f"DROP TABLE {table.name}")
    plain(conn, table.name)
    assert objects(conn, table.name) == before


def test_a_queue_can_be_installed_again_and_keeps_its_order(conn, table, put):
    for number in range(5):
        put(number)
    install(conn, table.name, undo=True)
    install(conn, table.name)
    put(5)
    assert [message.body for message in table.get(9)] == [0, 1, 2, 3, 4, 5]


def test_undoing_one_queue_leaves_the_bell_of_the_others(conn, connect, table):
    with conn.transaction(force_rollback=True):
        schema.create("another", conn.cursor)
        install(conn, "another", undo=True)
        table.put({"body": "1"})


@pytest.mark.parametrize("new", ["renamed", "r" * 63, 'Re"named %d'])
def test_a_renamed_queue_has_the_objects_of_one_created_with_that_name(conn, table, new):
    quoted = sql.Identifier(new)
    with conn.transaction(force_rollback=True):
        schema.create(new, conn.cursor)
        created = objects(conn, quoted.as_string())
        schema.drop(new, conn.cursor)
        conn.execute(sql.SQL("ALTER TABLE {} RENAME TO {}").format(sql.Identifier(table.name), quoted))
        for statement in schema.rename_statements(new, table.name, new):
            conn.execute(statement, {})
        by_hand = {name for name in created if "pkey" in name or "not_null" in name}
        assert created - by_hand <= objects(conn, quoted.as_string())
        install(conn, new, undo=True)


def test_a_dropped_queue_is_gone(conn, table):
    schema.drop(table.name, conn.cursor)
    assert not schema.exists(table.name, conn.cursor)


@pytest.mark.parametrize(
    "change",
    [
        "state = 'lost'",
        "state = 'claimed'",
        "claimed_by = 1",
    ],
)
def test_what_can_not_be_true_is_refused_by_the_table(conn, table, put, change):
    put()
    with pytest.raises(psycopg.errors.CheckViolation):
        conn.execute(f"UPDATE {table.name} SET {change}")


def test_a_plain_insert_from_anywhere_is_a_message(conn, table):
    conn.execute(f"INSERT INTO {table.name} (body) VALUES ('1'), ('2')")
    assert [message.body for message in table.get(9)] == [1, 2]


def test_the_bell_keeps_its_name_when_the_queue_is_renamed(conn, table):
    before = table.channel()
    with conn.transaction(force_rollback=True):
        conn.execute(f"ALTER TABLE {table.name} RENAME TO renamed")
        assert QueueTable.of_messages("renamed", conn.cursor).channel() == before


def test_ringing_by_hand_says_why(connect, table):
    ear = connect()
    ear.execute(f"LISTEN {table.channel()}")
    table.ring("they came back")
    assert [notice.payload for notice in ear.notifies(timeout=5, stop_after=1)] == ["they came back"]


@pytest.mark.filterwarnings("ignore:the queue")
def test_queues_created_at_once_do_not_disturb_each_other(connect, table_name):
    connections = [connect() for _ in range(6)]
    start = threading.Barrier(len(connections))

    def create(number):
        start.wait()
        for turn in range(5):  # each name is wanted by two
            Queue(f"{table_name}_{turn}_{number % 3}", conn=connections[number]).create()

    with ThreadPoolExecutor(len(connections)) as threads:
        assert list(threads.map(create, range(len(connections)))) == [None] * len(connections)


@pytest.fixture
def role(conn):
    """Another role that may create tables here."""
    conn.execute("CREATE ROLE tpq_another")
    conn.execute("GRANT ALL ON SCHEMA public TO tpq_another")
    yield "tpq_another"
    conn.execute("RESET ROLE")
    conn.execute("DROP OWNED BY tpq_another")
    conn.execute("DROP ROLE tpq_another")


def test_two_roles_have_queues_in_one_schema(conn, table, role):
    conn.execute(f"SET ROLE {role}")
    schema.create("theirs", conn.cursor)
    QueueTable.of_messages("theirs", conn.cursor).put({"body": "1"})
    install(conn, "theirs", undo=True)
    conn.execute("RESET ROLE")
    assert table.put({"body": "1"})
