"""Whether a connection leads straight to its server, or to a pooler that may hand its sessions around."""

from typing import Any

import psycopg
from psycopg.rows import tuple_row

__all__ = ["is_direct"]


def is_direct(connection: psycopg.Connection[Any]) -> bool:
    """Whether there is no pooler in between: one shows by a backend pid that is not the server's.

    Then LISTEN, prepared statements and all that belongs to a session last as long as the connection.
    """
    with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
        row = cursor.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    return row is not None and row[0] == connection.info.backend_pid
