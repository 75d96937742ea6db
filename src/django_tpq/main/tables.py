"""A queue's table on Django's connection: is it a queue, and can one wait there."""

from typing import Any

from django.db import NotSupportedError, connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_tpq.main.connections import require_postgresql
from tpq import schema, session

__all__ = ["require_new_snapshots", "require_queue"]

HOW = "run `manage.py queuemigrations` and `manage.py migrate`"

_installed: set[tuple[str, Any, str]] = set()


def require_queue(connection: BaseDatabaseWrapper, table: str) -> None:
    """Raise unless a table can be used as a queue, on a connection of Django's.

    Raises:
        UnknownQueue: the table is missing, or was made without `queuemigrations`.
        ImproperlyConfigured: the alias is not PostgreSQL.
    """
    key = (connection.alias, connection.settings_dict["NAME"], table)
    if key not in _installed:
        require_postgresql(connection.alias)
        schema.require(table, connection.cursor, HOW)
        _installed.add(key)


def require_new_snapshots(alias: str) -> None:
    """Raise unless a look later sees what was committed meanwhile; else a waiter would wait for ever.

    Raises:
        NotSupportedError: the caller's transaction is REPEATABLE READ or SERIALIZABLE.
    """
    connection = connections[alias]
    if not connection.in_atomic_block:
        return
    level = session.isolation(connection.cursor)
    if level in {"repeatable read", "serializable"}:
        raise NotSupportedError(
            f"waiting for a message inside a {level.upper()} transaction is in vain: it sees nothing that comes later. "
            "Wait outside of atomic(), or in READ COMMITTED (PostgreSQL's default)"
        )
