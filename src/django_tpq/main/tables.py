"""A queue's table on Django's connection: is it a queue, and can one wait there."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from django.db import NotSupportedError, connections

from django_tpq.main.connections import require_postgresql
from tpq import schema

__all__ = ["cursor_of", "require_new_snapshots"]

HOW = "run `manage.py queuemigrations` and `manage.py migrate`"

_installed: set[tuple[str, str, str]] = set()


def cursor_of(alias: str, table: str) -> Callable[[], AbstractContextManager[Any]]:
    """What makes cursors for a queue's table: those of the alias' connection in this thread.

    Raises:
        UnknownQueue: the table is missing, or was made without `queuemigrations`.
        ImproperlyConfigured: the alias is not PostgreSQL.
    """
    require_postgresql(alias)
    connection = connections[alias]
    key = (alias, str(connection.settings_dict["NAME"]), table)
    if key not in _installed:
        schema.require(table, connection.cursor, HOW)
        _installed.add(key)
    return connection.cursor


def require_new_snapshots(alias: str) -> None:
    """Raise unless a look later sees what was committed meanwhile; else a waiter would wait for ever.

    Raises:
        NotSupportedError: the caller's transaction is REPEATABLE READ or SERIALIZABLE.
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        return
    with connection.cursor() as cursor:
        cursor.execute("SHOW transaction_isolation")
        (level,) = cursor.fetchone()
    if level in {"repeatable read", "serializable"}:
        raise NotSupportedError(
            f"waiting for a message inside a {level.upper()} transaction is in vain: it sees nothing that comes later. "
            "Wait outside of atomic(), or in READ COMMITTED (PostgreSQL's default)"
        )
