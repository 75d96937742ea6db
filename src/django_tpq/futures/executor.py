"""One process that runs calls: the claim loop, the runner, and the door out, put together."""

import contextlib
import functools
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import psycopg
from django.db import close_old_connections, connections
from django.db.backends.signals import connection_created

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.calls import COLUMNS, Claimed
from django_tpq.futures.delivery import Delivery, Ended
from django_tpq.futures.outcomes import Outcome, Refused, Success
from django_tpq.futures.postman import Postman
from django_tpq.futures.results import store
from django_tpq.futures.runner import Runner
from django_tpq.main.connections import connect, listener
from tpq.bell import Listener
from tpq.board import Board
from tpq.consumer import Consumer
from tpq.exchange import ExchangeTable
from tpq.finished import tend
from tpq.own import cursor_of
from tpq.table import QueueTable
from tpq.tally import Tally

__all__ = ["Executor", "tables"]

logger = logging.getLogger("django_tpq.executor")

WRONG_KEY = 20
"""Wrong signatures in a row, with never a right one, that show that it is the key that is wrong."""
HOUSEKEEPING = 60.0
"""Seconds between purges."""
TENDING = 3600.0
"""Seconds between looks at the partitions of finished calls."""
PURGED = 1000
"""Rows that are deleted at once."""


def tables(names: Sequence[str], connection: psycopg.Connection[Any]) -> dict[str, ExchangeTable[Claimed]]:
    """The tables of call queues on a connection, by name."""
    return {
        name: ExchangeTable(
            queues.manager(name).model._meta.db_table,
            cursor_of(connection),
            COLUMNS,
            functools.partial(_claimed, name),
        )
        for name in names
    }


def _claimed(queue: str, row: tuple[Any, ...]) -> Claimed:
    return tuple.__new__(Claimed, (*row, queue))  # as Claimed._make, in half the time


class Executor:
    """Runs the calls of some queues of one database, in this process.

    Args:
        alias: the database.
        names: the queues.
        threads: how many calls run at once.
        board: what it shows to the supervisor.
        drain: end when nothing is left.
        limit: end after so many calls; None: never.
    """

    def __init__(
        self,
        *,
        alias: str,
        names: Sequence[str],
        threads: int,
        board: Board,
        drain: bool = False,
        limit: int | None = None,
    ) -> None:
        self._alias = alias
        self._names = list(names)
        self._ear: Listener | None = listener(alias)
        self._ears = contextlib.ExitStack()
        self._channels: list[str] = []
        self._tally = Tally("tpq_tally")
        self._postman = Postman(store(), lambda: connect(alias))
        self._delivery = Delivery(self._tally, self._postman)
        self._runner = Runner()
        self._refused: list[Ended] = []
        self._refused_in_a_row = 0
        self._cleaned_at = time.monotonic()
        self._tended_at = float("-inf")
        self._consumer: Consumer[Claimed] = Consumer(
            connect=lambda: connect(alias),
            tables=lambda connection: list(tables(self._names, connection).values()),
            handler=self,
            board=board,
            threads=threads,
            drain=drain,
            limit=limit,
            bell_works=lambda: self._ear is not None and self._ear.healthy,
        )

    def run(self) -> bool:
        """Work until stopped, drained, or at the limit; whether everything in hand was settled."""
        with self._ears:
            self._consumer.run()
        self._last_words()
        return self._consumer.is_settled

    def stop(self, grace: float) -> None:
        """Claim no more, give back what has not begun, end when the rest has, or after so many seconds."""
        self._consumer.stop(grace)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        if self._ear is not None and not self._channels:
            self._channels = [table.channel() for table in tables(self._names, connection).values()]
            for channel in self._channels:
                self._ears.enter_context(self._ear.subscribed(channel, self._consumer.rung))

    def _last_words(self) -> None:
        self._postman.close(patience=5.0)
        try:
            with connect(self._alias) as connection:
                self._let_go_of_refused(connection)
                self._tally.flush(connection)
        except psycopg.Error as error:
            logger.warning("the last statistics are lost: %s", " ".join(str(error).split()))

    # What the consumer asks of its handler ----------------------------------------------------------------

    def name(self, message: Claimed) -> bytes:
        """What the board calls a call."""
        return _name(message.task)

    def run_one(self, message: Claimed) -> Outcome:
        """Run a call in one of the threads."""
        try:
            outcome = self._runner.run(message)
            if not isinstance(outcome, Success):
                _own.has_connections = True  # perhaps one that is broken
            return outcome
        finally:
            try:
                _tidy()
            except Exception as error:  # noqa: BLE001 - a connection's end is no reason to end the thread
                logger.warning("a connection could not be closed: %s", " ".join(str(error).split()))

    def settle(
        self,
        connection: psycopg.Connection[Any],
        ended: "Sequence[tuple[QueueTable[Any], Claimed, Any]]",
        *,
        again: bool,
    ) -> None:
        """Apply what came out."""
        batch = self._without_wrong_keys(list(map(_ended, ended)), connection)
        if batch:
            self._delivery.settle(connection, batch, again=again)

    def tick(self, connection: psycopg.Connection[Any], *, idle: bool) -> None:
        """Now and then: flush the counts, purge what is over."""
        self._listen(connection)
        if idle:
            self._bury_refused(connection)
        if self._tally.is_due:
            self._tally.flush(connection)
        if time.monotonic() - self._cleaned_at > HOUSEKEEPING:
            self._clean(connection)
        if time.monotonic() - self._tended_at > TENDING:
            self._tend(connection)

    def _tend(self, connection: psycopg.Connection[Any]) -> None:
        """See to the partitions of finished calls."""
        self._tended_at = time.monotonic()
        try:
            tend(timedelta(seconds=settings.FINISHED_TTL), connection.cursor)
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.LockNotAvailable) as error:
            logger.warning(
                "the partitions of tpq_finished could not be tended: %s", error.diag.message_primary
            )

    def _clean(self, connection: psycopg.Connection[Any]) -> None:
        """Purge some of what is over. If there may be more of it, the next turn goes on: as many go as come."""
        counts = [table.purge(PURGED) for table in tables(self._names, connection).values()]
        counts.append(store().purge(connection.cursor, PURGED))
        self._cleaned_at = -HOUSEKEEPING if max(counts) >= PURGED else time.monotonic()

    # Is it the key? ---------------------------------------------------------------------------------------

    def _without_wrong_keys(self, ended: list[Ended], connection: psycopg.Connection[Any]) -> list[Ended]:
        """While no signature was ever right, hold back what would be buried: the key may be wrong, not they."""
        if self._runner.has_verified:
            return self._take_refused(connection) + ended
        refused = [e for e in ended if isinstance(e.outcome, Refused)]
        self._refused += refused
        self._refused_in_a_row += len(refused)
        if self._refused_in_a_row >= WRONG_KEY and self._refused:
            self._stop_claiming(connection)
        return [e for e in ended if not isinstance(e.outcome, Refused)]

    def _bury_refused(self, connection: psycopg.Connection[Any]) -> None:
        """The queue is empty and they were few: it was they, not the key."""
        if self._refused:
            self._delivery.settle(connection, self._take_refused(connection), again=False)

    def _let_go_of_refused(self, connection: psycopg.Connection[Any]) -> None:
        """We end before it is known whether it was they or the key: leave them to others."""
        for e in self._take_refused(connection):
            e.table.release([e.receipt])

    def _take_refused(self, connection: psycopg.Connection[Any]) -> list[Ended]:
        held, self._refused = self._refused, []
        by_name = tables(self._names, connection) if held else {}
        return [e._replace(table=by_name[e.call.queue]) for e in held]

    def _stop_claiming(self, connection: psycopg.Connection[Any]) -> None:
        reason = (
            f"no signature of the first {self._refused_in_a_row} calls was right: SECRET_KEY differs from the "
            "producers'; claiming has stopped"
        )
        logger.critical(
            "%s. Give both the same key (or SECRET_KEY_FALLBACKS) and start the executor anew", reason
        )
        self._consumer.pause(reason)
        self._let_go_of_refused(connection)


_ended: Callable[[Any], Ended] = functools.partial(tuple.__new__, Ended)


@functools.cache
def _name(task: str) -> bytes:
    return task.encode()


_own = threading.local()


def _opened(**_: Any) -> None:
    """A Django connection was opened in this thread."""
    _own.has_connections = True


connection_created.connect(_opened)


def _tidy() -> None:
    """Leave this thread's Django connections as a request would, and none in a transaction that a task left open."""
    now = time.monotonic()
    if not getattr(_own, "has_connections", False) and now < getattr(_own, "tidy_at", 0.0):
        return  # most calls open none
    _own.tidy_at = now + 1.0  # a connection that broke while it was being opened tells nobody
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and (connection.in_atomic_block or not connection.autocommit):
            logger.warning("a task left a transaction open on %r: it was rolled back", connection.alias)
            connection.close()
            _reset(connection)
    close_old_connections()
    _own.has_connections = any(c.connection is not None for c in connections.all(initialized_only=True))


def _reset(connection: Any) -> None:
    connection.in_atomic_block = False
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.needs_rollback = False
    connection.run_on_commit = []
    connection.connection = None
