"""From an entry of `DATABASES` to a running server."""

import contextlib
from typing import Any

import psycopg
from django.db.utils import OperationalError
from psycopg import sql

from tpq.embedded import EmbeddedError, Server, start

__all__ = ["run"]

EXISTS = "SELECT FROM pg_catalog.pg_database WHERE datname = %s"

_ensured: set[tuple[Server, str]] = set()


def run(settings: dict[str, Any]) -> Server:
    """Have the server run that an entry asks for, and write down in the entry where it is.

    Raises:
        OperationalError: there is none; the text says why.
    """
    wish = settings["EMBEDDED"]
    try:
        server = start(wish["path"], binaries=wish["binaries"], parameters=wish["parameters"])
    except EmbeddedError as error:
        raise OperationalError(str(error)) from error
    settings |= {"HOST": server.host, "PORT": str(server.port), "USER": settings.get("USER") or server.user}
    ensure(server, wish["name"])
    return server


def ensure(server: Server, name: str) -> None:
    """Create the database of the entry (not one that tests put in its place) if there is none."""
    if name == server.dbname or (server, name) in _ensured:
        return
    with psycopg.connect(server.dsn, autocommit=True) as connection:
        if connection.execute(EXISTS, [name]).fetchone() is None:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    _ensured.add((server, name))
