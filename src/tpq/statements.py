"""SQL files and names in, ready statements out. Nothing here touches a database, nothing is spliced.

A file holds values as `%(name)s`; a table's name and the few parts that depend on a user's columns are
composed with `psycopg.sql` and kept.
"""

import hashlib
from functools import cache
from importlib import resources
from typing import LiteralString

from psycopg import sql

__all__ = ["compose", "identifier", "object_name"]

MAX_NAME = 63
"""PostgreSQL's limit for a name, in bytes."""


@cache
def compose(
    name: str,
    table: str,
    *,
    returning: tuple[str, ...] = (),
    columns: tuple[str, ...] = (),
    filters: tuple[tuple[str, bool], ...] = (),
    conflict: bool = False,
    one: bool = False,
    absolute: bool = False,
) -> str:
    """The statement of `sql/<name>.sql` for one table. Run it with values, if only with `{}`.

    Args:
        name: the file's path below `sql`, without its ending.
        table: the queue's table.
        returning: the columns a row brings back; `body` comes as text.
        columns: the columns an INSERT sets, each from the value of its own name (`due_at`: how long from now).
        filters: (column, whether the wanted value is NULL); a wanted value is named `where_<column>`.
        conflict: whether a taken `unique_key` refuses the row without an error.
        absolute: whether `due_at` is a moment.
        one: whether its limit is 1 in the text itself: else it is planned anew each time, to see whether it is.
    """
    text = sql.SQL(_read(name))
    quoted = identifier(table)
    return text.format(
        table=quoted,
        table_default=identifier(f"{table}_default"),
        function=identifier(f"tend_{table}"),
        plain=sql.Literal(table),
        table_name=sql.Literal(quoted.as_string(None)),
        bell_until=sql.Literal(identifier(object_name(table, "bell_until")).as_string(None)),
        returning=sql.SQL(", ").join(map(_readable, returning)),
        columns=sql.SQL(", ").join(map(identifier, columns)),
        values=sql.SQL(", ").join(_value(column, absolute) for column in columns),
        filters=sql.SQL("").join(_condition(column, is_null) for column, is_null in filters),
        conflict=sql.SQL(_CONFLICT if conflict else ""),
        count=sql.Literal(1) if one else sql.Placeholder("count"),
        **_parts(name, table, returning),
        **{f"name_{key}": identifier(object_name(table, key)) for key in _OBJECTS},
    ).as_string(None)


def _parts(name: str, table: str, returning: tuple[str, ...]) -> dict[str, sql.Composable]:
    """The statements that one is made of."""
    names = ("ack", "claim") if name == "exchange" else ()
    parts: dict[str, sql.Composable] = {
        part: sql.SQL(compose(part, table, returning=returning)) for part in names
    }
    error, type_ = map(sql.SQL, _ERRORS.get(name, ("NULL::text", "NULL::text")))
    failed = sql.SQL(_read("failed")).format(error=error, type=type_)
    return parts | {"error": error, "type": type_, "failed": failed}


_ERRORS: dict[str, tuple[LiteralString, LiteralString]] = {
    "retry": ("receipt.error", "receipt.type"),
    "bury": ("receipt.error", "receipt.type"),
    "reclaim": ("'the executor was lost while it ran'::text", "NULL::text"),
    "lose": ("receipt.error", "receipt.type"),
    "cancel": ("%(error)s::text", "%(type)s::text"),
    "promote": ("'the lease ended without an answer'::text", "NULL::text"),
}
"""The statements by which a run fails; its error there, and the error's type: it joins those of the runs before."""
_OBJECTS = ("state", "ready", "suspect", "due", "unique", "bell", "bell_until")
_CONFLICT = "ON CONFLICT (unique_key) WHERE unique_key IS NOT NULL AND state <> 'dead' DO NOTHING"


def object_name(table: str, suffix: str) -> str:
    """The name of a queue's index, constraint or trigger: at most 63 bytes, and no two alike."""
    full = f"{table}_{suffix}"
    if len(full.encode()) <= MAX_NAME:
        return full
    digest = hashlib.sha256(table.encode()).hexdigest()[:10]
    room = MAX_NAME - len(suffix) - len(digest) - 2
    return f"{table.encode()[:room].decode(errors='ignore')}_{digest}_{suffix}"


@cache
def _read(name: str) -> str:
    return resources.files("tpq").joinpath("sql", f"{name}.sql").read_text("utf-8").strip()


def identifier(name: str) -> sql.Identifier:
    """A name in a statement that is run with values: a `%` in it is written twice there."""
    return sql.Identifier(name.replace("%", "%%"))


def _readable(column: str) -> sql.Composable:
    return sql.SQL("body::text") if column == "body" else identifier(column)


def _value(column: str, absolute: bool) -> sql.Composable:
    if column == "due_at" and not absolute:
        return sql.SQL("clock_timestamp() + %(due_at)s::interval")
    if column == "body":
        return sql.SQL("%(body)s::jsonb")
    return sql.Placeholder(column)


def _condition(column: str, is_null: bool) -> sql.Composable:
    if is_null:
        return sql.SQL(" AND {} IS NULL").format(identifier(column))
    return sql.SQL(" AND {} = {}").format(identifier(column), sql.Placeholder(f"where_{column}"))
