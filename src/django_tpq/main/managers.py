"""`objects` of a queue model: the queue's verbs, in the caller's transaction."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from operator import itemgetter
from typing import Any, Self, TypeVar

from django.db import connections, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_tpq.main import rows
from django_tpq.main.asynchronous import AsyncVerbs
from django_tpq.main.connections import listener
from django_tpq.main.deadletters import DeadLetters
from django_tpq.main.durations import Duration, optional, positive
from django_tpq.main.errors import QueueEmpty
from django_tpq.main.late import ring_after_commit
from django_tpq.main.prepared import cursor_on
from django_tpq.main.tables import require_new_snapshots, require_queue
from tpq.message import State, decode_many, encode
from tpq.table import QueueTable
from tpq.waiting import ASKED, Ear, polls

__all__ = ["QueueManager"]

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")

_first = itemgetter(0)
"""The only column of a row."""
COPY_FROM = 500
"""Messages from which COPY, with its two round trips, is faster than one INSERT."""


class QueueManager(AsyncVerbs[M]):
    """The verbs of a queue.

    `wait` means the same everywhere: negative (the default): do not wait; 0: wait for ever; positive: at most so
    many seconds. Keywords with the names of the queue's own columns choose among the messages.
    """

    def using(self, alias: str | None) -> Self:  # type: ignore[override]
        """The same queue in another database."""
        return self.db_manager(alias)

    # In ---------------------------------------------------------------------------------------------------

    def enqueue(
        self,
        body: Any,
        *,
        priority: int = 0,
        delay: Duration | None = None,
        unique_key: str | None = None,
        **columns: Any,
    ) -> int | None:
        """Add a message; it belongs to the caller's transaction.

        Args:
            body: any JSON value.
            priority: higher ones come first, from -32768 to 32767.
            delay: how long it waits before it can be taken; seconds or a timedelta.
            unique_key: no two living messages have the same.
            columns: values for the queue's own columns.

        Returns:
            Its id; None when a living message has the `unique_key`.

        Raises:
            TypeError, ValueError: the body is not JSON that PostgreSQL can keep; the text names the place.
        """
        values = {"body": encode(body), "priority": rows.priority(priority)}
        if unique_key is not None:
            values["unique_key"] = unique_key
        if columns or rows.own_fields(self.model):
            values |= rows.values(self.model, columns, connections[self.db_for_queue])
        return self.door().put(values, optional(delay), unique=unique_key is not None)

    def enqueue_many(
        self, bodies: Iterable[Any], *, priority: int = 0, delay: Duration | None = None, **columns: Any
    ) -> list[int]:
        """Add messages in one go; their ids in the order of the bodies. See `enqueue`."""
        texts = [encode(body) for body in bodies]
        if not texts:
            return []
        own = rows.own_fields(self.model)
        if len(texts) < COPY_FROM and not own and not columns:
            return self.door().put_many(texts, rows.priority(priority), optional(delay))
        connection, level = connections[self.db_for_queue], rows.priority(priority)
        lines = [
            {"body": text, "priority": level, **rows.values(self.model, columns, connection)}
            for text in texts
        ]
        names = tuple(lines[0])
        cells = (tuple(line[name] for name in names) for line in lines)
        with connection.wrap_database_errors:  # Copy raises past Django's cursor
            return self.door().copy(names, cells, len(lines), optional(delay))

    # Out, in the caller's transaction ---------------------------------------------------------------------

    def dequeue(self, wait: float = -1, **columns: Any) -> Any:
        """Take the next message out; its body. A rollback of the caller's transaction puts it back.

        Raises:
            QueueEmpty: there is none.
        """
        return self.dequeue_many(1, wait, **columns)[0]

    def dequeue_many(self, n: int, wait: float = -1, **columns: Any) -> list[Any]:
        """Take 1 to n messages out; their bodies in order. As `dequeue`."""
        if n < 1:
            raise ValueError(f"dequeue_many() takes at least one message, not {n}")
        table, wanted = self.table(("body",), _first), self._filters(columns)
        return decode_many(self._wait_for(wait, lambda: table.get(n, wanted)))

    @contextlib.contextmanager
    def receive(self, wait: float = -1, lease: Duration | None = None, **columns: Any) -> Iterator[M]:
        """Take the next message for a block: an instance with its body, id and columns.

        Without `lease` it is taken in a transaction around the block (in the caller's own: a savepoint); an
        exception gives it back. With `lease` (seconds or a timedelta) it is claimed for that time, and the
        message's `ack()`, `retry(delay)`, `release()`, `bury(reason)` or `extend()` say what happens; a block that
        says nothing acks, and an exception gives the message back, behind the others.

        Raises:
            QueueEmpty: there is none.
            LeaseLost: at the end: the block took longer than the lease.
        """
        if lease is None:
            yield from self._received(wait, columns)
        else:
            message = self._leased(wait, positive(lease), columns)
            try:
                yield message
            except BaseException as error:
                message._give_back(error)  # type: ignore[attr-defined]
                raise
            if not message.is_settled:  # type: ignore[attr-defined]
                message.ack()  # type: ignore[attr-defined]

    def _received(self, wait: float, columns: Mapping[str, Any]) -> Iterator[M]:
        table, wanted = self._instances(), self._filters(columns)
        for _ in polls(wait, self._ear):
            with transaction.atomic(using=self.db_for_queue):
                for message in rows.hinted(lambda: table.get(1, wanted)):
                    message._is_taken = True  # type: ignore[attr-defined]
                    yield message
                    return
        raise self._empty()

    def _leased(self, wait: float, lease: timedelta, columns: Mapping[str, Any]) -> M:
        table, wanted = self._instances(), self._filters(columns)

        # What is promoted inside the caller's transaction is locked until it ends: one message, no more.
        at_once = 1 if connections[self.db_for_queue].in_atomic_block else 500

        def take() -> list[M]:
            table.promote(at_once, wanted)
            return table.lease(lease, 1, wanted)

        message = self._wait_for(wait, take)[0]
        message._lease = (self.using(message._state.db).table, lease)  # type: ignore[attr-defined]
        return message

    # Looking ----------------------------------------------------------------------------------------------

    def peek(self, n: int = 1, **columns: Any) -> list[M]:
        """The messages that would come next, at most n. Locks and takes nothing."""
        return self._instances().peek(n, self._filters(columns))

    def count(self, state: State | str | None = None, **columns: Any) -> int:
        """How many messages could be taken now; with `state`: how many are in it."""
        return self.table().count(None if state is None else State(state).value, self._filters(columns))

    def clear(self, **columns: Any) -> int:
        """Delete the messages nobody has taken yet (ready and waiting); how many."""
        return self.table().clear(self._filters(columns))

    # Dead letters: by their ids; `DeadLetters` has the same verbs for any number of them -------------------

    def dead(self) -> DeadLetters[M]:
        """The dead letters, to be filtered, requeued and discarded."""
        return DeadLetters(self.model, using=self._db).dead()

    def requeue(self, ids: Sequence[int], delay: Duration | None = None) -> set[int]:
        """Revive dead letters, at once or after a delay (seconds or a timedelta); the ids of those that moved."""
        moved = self.table().requeue(ids, optional(delay))
        self.table().ring("returned")
        return moved

    def discard(self, ids: Sequence[int]) -> set[int]:
        """Delete dead letters; the ids of those that were some."""
        return self.table().discard(ids)

    # The engine below -------------------------------------------------------------------------------------

    @property
    def db_for_queue(self) -> str:
        """The alias the queue lives in."""
        return self._db or router.db_for_write(self.model)

    def table(
        self,
        columns: tuple[str, ...] = ("id",),
        row: Callable[[tuple[Any, ...]], T] = lambda row: row,  # type: ignore[assignment,return-value]
    ) -> QueueTable[T]:
        """The queue's table on the connection of its alias.

        Raises:
            UnknownQueue: the table is missing, or was made without `queuemigrations`.
        """
        return self._table_on(connections[self.db_for_queue], columns, row)

    def _table_on(
        self, wrapper: BaseDatabaseWrapper, columns: tuple[str, ...], row: Callable[[tuple[Any, ...]], T]
    ) -> QueueTable[T]:
        name = self.model._meta.db_table
        require_queue(wrapper, name)
        return QueueTable(name, cursor_on(wrapper), columns, row)

    def door(self, wrapper: BaseDatabaseWrapper | None = None) -> QueueTable[Any]:
        """As `table`, to add messages: should the caller's transaction be committed late, it rings once more."""
        wrapper = wrapper or connections[self.db_for_queue]
        table: QueueTable[Any] = self._table_on(wrapper, ("id",), tuple)
        if wrapper.in_atomic_block:
            ring_after_commit(wrapper, table)
        return table

    def _instances(self) -> QueueTable[M]:
        wrapper, name = connections[self.db_for_queue], self.model._meta.db_table
        require_queue(wrapper, name)
        # Not prepared: a plan does not outlive a change of the user's own columns.
        return QueueTable(name, wrapper.cursor, *rows.reader(self.model, wrapper.alias))

    def _filters(self, columns: Mapping[str, Any]) -> Mapping[str, Any]:
        return rows.filters(self.model, columns, connections[self.db_for_queue]) if columns else {}

    def _ear(self) -> contextlib.AbstractContextManager[Ear]:
        require_new_snapshots(self.db_for_queue)
        return Ear.on(listener(self.db_for_queue), self.table().channel(), self._ask)

    def _ask(self) -> bool | None:
        return self.table().ask(ASKED)

    def _wait_for(self, wait: float, take: Callable[[], list[T]]) -> list[T]:
        for _ in polls(wait, self._ear):
            if taken := rows.hinted(take):
                return taken
        raise self._empty()

    def _empty(self) -> QueueEmpty:
        return QueueEmpty(f"{self.model.__name__} has no message that could be taken now")
