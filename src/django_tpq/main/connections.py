"""Connections of our own to a Django alias, and the process's ears.

They are plain psycopg: autocommit and READ COMMITTED whatever the alias' OPTIONS say. Statements are prepared,
unless a pooler is in between: they do not survive one in transaction mode.
"""

import functools
from collections.abc import Callable
from typing import Any

import psycopg
from django.core import mail
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, connections
from psycopg import sql

from django_tpq.conf import settings
from tpq import session
from tpq.bell import Listener, hears
from tpq.patience import PatientConnection, minded
from tpq.pooling import is_direct

__all__ = ["bell_works", "connect", "connect_dsn", "listener", "require_postgresql"]

DJANGOS_OWN = ("context", "cursor_factory", "prepare_threshold")
LINE = {
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 20_000,
}
"""What libpq would wait for without end: for a machine that is gone. The alias' OPTIONS come first."""


def connect(alias: str) -> PatientConnection:
    """Open a connection to an alias' database; it waits for an answer no longer than TPQ_ANSWER_TIMEOUT."""
    require_postgresql(alias)
    wrapper = connections[alias]
    try:
        given = wrapper.get_connection_params()
    except DatabaseError as error:  # an embedded server that can not be had: away, like any other
        raise psycopg.OperationalError(str(error)) from error
    parameters = LINE | {k: v for k, v in given.items() if k not in DJANGOS_OWN}
    connection = PatientConnection.connect(**parameters, autocommit=True, prepare_threshold=None)
    connection = minded(connection, settings.ANSWER_TIMEOUT)
    connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
    if is_direct(connection):
        connection.prepare_threshold = 0
        session.plan_by_index(connection.cursor)
    if role := wrapper.settings_dict["OPTIONS"].get("assume_role"):
        connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
    return connection


def connect_dsn(dsn: str) -> PatientConnection:
    """Open a connection to a DSN; as `connect`."""
    line: dict[str, Any] = LINE | psycopg.conninfo.conninfo_to_dict(dsn)
    connection = PatientConnection.connect(**line, autocommit=True, prepare_threshold=None)
    return minded(connection, settings.ANSWER_TIMEOUT)


def require_postgresql(alias: str) -> None:
    """Raise ImproperlyConfigured unless the alias is a PostgreSQL database."""
    if (vendor := connections[alias].vendor) != "postgresql":
        raise ImproperlyConfigured(
            f"the database {alias!r} is {vendor}, but queues need PostgreSQL: "
            "route the queue's model to a PostgreSQL alias, or change DATABASES"
        )


def listener(alias: str) -> Listener | None:
    """The ear for an alias, as TPQ_LISTEN says; None: poll."""
    where = settings.LISTEN
    return None if where is None else _listener(alias if where == "same" else where)


def bell_works(alias: str) -> bool:
    """Whether a NOTIFY would be heard where `listener` listens; tried, from here and now."""
    where = alias if settings.LISTEN == "same" else settings.LISTEN
    if where is None:
        return False
    open_connection = _opener(where)
    with open_connection(where) as connection:
        return hears(connection, lambda: open_connection(where))


def _opener(where: str) -> Callable[[str], psycopg.Connection[Any]]:
    return connect if where in connections else connect_dsn


@functools.cache
def _listener(where: str) -> Listener:
    open_connection = _opener(where)
    # A test database can not be dropped while somebody listens in it: do not linger under a test runner.
    idle = {"idle": 0.0} if hasattr(mail, "outbox") else {}
    return Listener(lambda: open_connection(where), **idle)
