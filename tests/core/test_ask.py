"""The bell rings for those who have asked for it, as long as they have."""

import contextlib
import secrets

import pytest
from psycopg import sql

from tpq import schema
from tpq.table import QueueTable

LONG = 60.0


@pytest.fixture
def ear(connect, table):
    """Somebody who listens; how many rings came since the last look."""
    connection = connect()
    connection.execute(f"LISTEN {table.channel()}")

    def rings():
        return len(list(connection.notifies(timeout=0.05)))

    return rings


@pytest.fixture
def sequence(conn, table):
    """The sequence that says until when."""
    (name,) = conn.execute("SELECT pg_get_serial_sequence(%s, 'state')", [table.quoted]).fetchone()
    return name


@pytest.fixture
def role(conn, connect, table):
    """A role that may add, take and nothing else; its connection."""
    name = f"role_{secrets.token_hex(6)}"
    conn.execute(f"CREATE ROLE {name}")
    conn.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table.name} TO {name}")
    connection = connect()
    connection.execute(f"SET ROLE {name}")
    yield connection
    connection.close()
    conn.execute(f"DROP OWNED BY {name}")
    conn.execute(f"DROP ROLE {name}")


def test_nobody_rings_for_those_who_have_not_asked(ear, put):
    put()
    assert ear() == 0


def test_who_has_asked_is_rung_for(ear, table, put):
    table.ask(LONG)
    put()
    assert ear() == 1


def test_when_the_time_is_over_it_is_quiet_again(ear, table, put, eventually):
    table.ask(0.2)

    def assert_quiet():
        put()
        assert ear() == 0

    eventually(assert_quiet)


def test_the_first_to_ask_has_to_look_once_more(table):
    assert (table.ask(LONG), table.ask(LONG)) == (False, True)


def test_who_asks_again_asks_for_longer(conn, table, sequence):
    table.ask(LONG)
    before = conn.execute(f"SELECT last_value FROM {sequence}").fetchone()
    table.ask(LONG)
    assert conn.execute(f"SELECT last_value FROM {sequence}").fetchone() == before  # more than half is left
    table.ask(3 * LONG)
    assert conn.execute(f"SELECT last_value FROM {sequence}").fetchone() > before


def test_asking_is_no_part_of_a_transaction(conn, ear, table, put):
    with conn.transaction(force_rollback=True):
        table.ask(LONG)
    put()
    assert ear() == 1


@pytest.mark.parametrize(
    "forgotten", ["ALTER SEQUENCE {} RESTART", "TRUNCATE {table} RESTART IDENTITY", "DROP SEQUENCE {}"]
)
def test_where_nothing_is_known_it_rings(conn, ear, table, put, sequence, forgotten):
    conn.execute(forgotten.format(sequence, table=table.name))
    put()
    assert (ear(), table.ask(LONG)) == (1, True)
    put()
    assert ear() == 1


def test_a_role_that_may_not_ask_is_told_so_and_disturbs_nobody(role, ear, table):
    theirs = QueueTable.of_messages(table.name, role.cursor)
    with role.transaction():
        assert theirs.ask(LONG) is None
        theirs.put({"body": "1"})
    assert ear() == 0
    table.ask(LONG)
    assert theirs.ask(LONG) is True
    theirs.put({"body": "2"})
    assert (ear(), [message.body for message in theirs.get(9)]) == (1, [1, 2])


def test_a_queue_of_the_same_name_in_another_schema_has_its_own_bell(conn, ear, table, put):
    with contextlib.ExitStack() as stack:
        conn.execute("CREATE SCHEMA elsewhere")
        stack.callback(conn.execute, "DROP SCHEMA elsewhere CASCADE")
        conn.execute("SET search_path = elsewhere, public")
        stack.callback(conn.execute, "RESET search_path")
        schema.create(table.name, conn.cursor)
        table.ask(LONG)
        conn.execute(sql.SQL("INSERT INTO public.{} (body) VALUES ('1')").format(sql.Identifier(table.name)))
        assert ear() == 0
    table.ask(LONG)
    put()
    assert ear() == 1


def test_a_ring_after_a_late_commit_is_for_those_who_have_asked(ear, table):
    table.ring_if_asked()
    assert ear() == 0
    table.ask(LONG)
    table.ring_if_asked()
    assert ear() == 1


def test_with_the_queue_goes_its_sequence(conn, table, sequence):
    with conn.transaction(force_rollback=True):
        schema.drop(table.name, conn.cursor)
        assert conn.execute("SELECT to_regclass(%s)", [sequence]).fetchone() == (None,)
