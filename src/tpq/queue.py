"""`tpq.Queue`: a queue for anybody with a psycopg connection. Django's models have their own door.

A connection that has a transaction open is joined by a savepoint, never committed for the caller.
"""

import contextlib
import threading
import warnings
from collections.abc import Iterator
from datetime import timedelta
from types import TracebackType
from typing import Any, Protocol, Self

import psycopg
from psycopg import errors as pg

from tpq import config, schema
from tpq.bell import Listener
from tpq.errors import QueueEmpty, UnknownQueue
from tpq.message import Message, encode
from tpq.table import QueueTable
from tpq.waiting import ASKED, Ear, polls

__all__ = ["Pool", "Queue"]


class Pool(Protocol):
    """What is needed of a pool: psycopg_pool's `ConnectionPool` fits."""

    def connection(self) -> contextlib.AbstractContextManager[psycopg.Connection[Any]]:
        """Lend a connection for a block."""


class Queue:
    """A queue by its table's name.

    Args:
        name: the table.
        conn: a connection to use; it is neither committed nor closed for its owner.
        pool: a pool to borrow a connection from, for each verb.
        host, dbname, user, password: where to connect; what is missing comes from `TPQ_URL` or from
            `TPQ_HOST`, `TPQ_DB`, `TPQ_USER`, `TPQ_PASS`.

    Raises:
        ConfigError: the server can not be reached.
    """

    def __init__(
        self,
        name: str,
        *,
        conn: psycopg.Connection[Any] | None = None,
        pool: Pool | None = None,
        host: str | None = None,
        dbname: str | None = None,
        user: str | None = None,
        password: str | None = None,
    ) -> None:
        if conn is not None and pool is not None:
            raise TypeError("give a connection or a pool, not both")
        self.name = name
        self._pool = pool
        self._own: psycopg.Connection[Any] | None = None
        if conn is None and pool is None:
            conn = self._own = config.connect(host=host, dbname=dbname, user=user, password=password)
        self._conn = conn
        self._listener: Listener | None = None
        self._lock = threading.Lock()

    def create(self) -> None:
        """Create the queue; warns when it is there already."""
        with self._transaction() as connection:
            schema.lock(connection.cursor)
            if schema.version(self.name, connection.cursor) is None:
                schema.create(self.name, connection.cursor)
            else:
                warnings.warn(f"the queue {self.name!r} exists already", stacklevel=2)

    def put(self, body: Any, *, priority: int = 0, delay: timedelta | float | None = None) -> int:
        """Add a message; its id.

        Args:
            body: any JSON value, also an empty or false one.
            priority: higher ones come first, from -32768 to 32767.
            delay: how long it waits before it can be taken; seconds, or a timedelta.
        """
        text, wait = encode(body), _duration(delay)
        with self._transaction() as connection, self._table(connection) as table:
            number = table.put({"body": text, "priority": priority}, wait)
        assert number is not None  # only a unique_key is ever refused  # noqa: S101
        return number

    @contextlib.contextmanager
    def get(self, wait: float = -1) -> Iterator[Any]:
        """Take the next body for a block; an exception in the block gives the message back.

        Args:
            wait: negative: do not wait; 0: wait for ever; else so many seconds.

        Raises:
            QueueEmpty: there was none.
        """
        for _ in polls(wait, self._ear):
            with self._transaction() as connection:
                with self._table(connection) as table:
                    taken = table.get()
                for message in taken:
                    yield message.body
            if taken:
                return
        raise QueueEmpty(f"the queue {self.name!r} is empty")

    def clear(self) -> int:
        """Delete the messages nobody has taken yet; how many."""
        with self._transaction() as connection, self._table(connection) as table:
            return table.clear()

    def __len__(self) -> int:
        with self._transaction() as connection, self._table(connection) as table:
            return table.count()

    def __bool__(self) -> bool:
        return True

    def close(self) -> None:
        """Close what this queue has opened itself; never a connection or pool it was given."""
        if self._listener is not None:
            self._listener.close()
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ------------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _table(self, connection: psycopg.Connection[Any]) -> Iterator[QueueTable[Message]]:
        try:
            yield QueueTable.of_messages(self.name, connection.cursor)
        except pg.UndefinedTable as error:
            raise UnknownQueue(f"there is no queue {self.name!r}: create() it first") from error

    @contextlib.contextmanager
    def _borrowed(self) -> Iterator[psycopg.Connection[Any]]:
        if self._pool is not None:
            with self._pool.connection() as connection:
                yield connection
        else:
            assert self._conn is not None  # noqa: S101 - __init__ left one of the two
            yield self._conn

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[psycopg.Connection[Any]]:
        """A transaction of our own, or a savepoint in the one that is open."""
        with self._borrowed() as connection, connection.transaction():
            yield connection

    @contextlib.contextmanager
    def _ear(self) -> Iterator[Ear]:
        """A place at this queue's bell. No connection of a pool is held meanwhile."""
        with self._transaction() as connection, self._table(connection) as table:
            channel = table.channel()
            listener = self._heard_by(connection.info)
        with Ear.on(listener, channel, self._ask) as ear:
            yield ear

    def _ask(self) -> bool | None:
        with self._transaction() as connection, self._table(connection) as table:
            return table.ask(ASKED)

    def _heard_by(self, server: psycopg.ConnectionInfo) -> Listener:
        dsn, password = server.dsn, server.password or None
        with self._lock:
            if self._listener is None:
                self._listener = Listener(lambda: psycopg.connect(dsn, password=password, autocommit=True))
            return self._listener


def _duration(value: timedelta | float | None) -> timedelta | None:
    return timedelta(seconds=value) if isinstance(value, (int, float)) else value
