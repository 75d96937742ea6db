"""The one PostgreSQL that everybody is measured on, and what it counts."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql

from tpq.embedded import start

__all__ = ["Cost", "Database", "database"]

PLACE = Path(__file__).parent.parent / ".postgres-bench"
SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "max_connections": 200,
}


class Cost(NamedTuple):
    """What the server has counted."""

    wal: int
    """Bytes of WAL."""
    commits: int


class Database:
    """A database of its own for one measurement."""

    def __init__(self, dsn: str, name: str, host: str, port: int, user: str) -> None:
        self.dsn = dsn
        self.name = name
        self.url = f"postgresql://{user}@/{name}?host={host}&port={port}"

    def connect(self, **options: object) -> psycopg.Connection:
        """An autocommit connection."""
        return psycopg.connect(self.dsn, **{"autocommit": True, **options})  # type: ignore[arg-type]

    def cost(self) -> Cost:
        """What has been counted so far. The commits of connections that are open show a moment late."""
        with self.connect() as connection:
            row = connection.execute(
                "SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, xact_commit "
                "FROM pg_stat_database WHERE datname = current_database()"
            ).fetchone()
        assert row is not None
        return Cost(*row)


@contextlib.contextmanager
def database(name: str) -> Iterator[Database]:
    """A fresh database for the block."""
    url = os.environ.get("DATABASE_URL")
    admin = url or start(PLACE, parameters=SETTINGS).dsn
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        host, port, user = connection.info.host, connection.info.port, connection.info.user
        dsn = psycopg.conninfo.make_conninfo(admin, dbname=name)
    try:
        yield Database(dsn, name, host, port, user)
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
            connection.execute("CHECKPOINT")
