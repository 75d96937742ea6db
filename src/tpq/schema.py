"""The tables' versions: what is installed, and the numbered steps to install or undo it.

The version that a table has is kept in a comment on one of its constraints, where a dump, a rename and a
restore keep it too.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, LiteralString

from psycopg import sql

from tpq.errors import UnknownQueue
from tpq.statements import compose, identifier, object_name

__all__ = [
    "VERSION",
    "create",
    "drop",
    "install_statement",
    "lock",
    "rename_statements",
    "require",
    "version",
]

VERSION = 3
"""The version this code installs and needs."""

Cursor = Callable[[], AbstractContextManager[Any]]

INDEXES = ("ready", "suspect", "due", "unique")
CONSTRAINTS = ("state",)
RING = "CREATE TRIGGER {new} AFTER INSERT ON {table} FOR EACH STATEMENT EXECUTE FUNCTION tpq_ring({until})"
"""As in schema/001_install: the trigger names the sequence."""


def install_statement(table: str, step: int, *, undo: bool = False) -> str:
    """The statements of one numbered step for a table."""
    return compose(f"schema/{step:03}_{'uninstall' if undo else 'install'}", table)


def rename_statements(table: str, old: str, new: str) -> list[str]:
    """Rename a table's objects from the names of a table `old` to those of `new`. Run with values, if only `{}`."""

    def renamed(statement: LiteralString, key: str) -> str:
        before, after = identifier(object_name(old, key)), identifier(object_name(new, key))
        until = sql.Literal(identifier(object_name(new, "bell_until")).as_string(None))
        names = {"old": before, "new": after, "table": identifier(table), "until": until}
        return sql.SQL(statement).format(**names).as_string(None)

    return [
        *(renamed("ALTER INDEX {old} RENAME TO {new}", key) for key in INDEXES),
        *(renamed("ALTER TABLE {table} RENAME CONSTRAINT {old} TO {new}", key) for key in CONSTRAINTS),
        renamed("ALTER SEQUENCE {old} RENAME TO {new}", "bell_until"),
        renamed("DROP TRIGGER {old} ON {table}", "bell"),
        renamed(RING, "bell"),
    ]


def version(table: str, cursor: Cursor) -> int | None:
    """The version installed on a table; None when there is none, or no table."""
    with cursor() as c:
        c.execute(compose("schema/version", table), {})
        row = c.fetchone()
    return int(row[0]) if row else None


def exists(table: str, cursor: Cursor) -> bool:
    """Whether there is such a table."""
    with cursor() as c:
        c.execute(compose("schema/exists", table), {})
        return bool(c.fetchone()[0])


def require(table: str, cursor: Cursor, how: str) -> None:
    """Raise `UnknownQueue` unless the table is a queue of a version this code can use; `how` says what to do."""
    installed = version(table, cursor)
    if installed is None and not exists(table, cursor):
        raise UnknownQueue(f"the queue table {table!r} does not exist: {how}")
    if installed is None:
        raise UnknownQueue(f"the table {table!r} has not been installed as a queue: {how}")
    if installed < VERSION:
        raise UnknownQueue(f"the queue table {table!r} is at version {installed}, not {VERSION}: {how}")


def lock(cursor: Cursor) -> None:
    """Let nobody else create a queue before this transaction ends."""
    with cursor() as c:
        c.execute(compose("schema/lock", ""), {})


def create(table: str, cursor: Cursor) -> None:
    """Create a plain queue's table and install it."""
    with cursor() as c:
        c.execute(compose("schema/001_create", table), {})
        for step in range(1, VERSION + 1):
            c.execute(install_statement(table, step), {})


def drop(table: str, cursor: Cursor) -> None:
    """Drop a queue's table with everything in it."""
    with cursor() as c:
        c.execute(compose("schema/drop", table), {})
