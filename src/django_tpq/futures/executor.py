"""One process that runs calls: the claim loop, the runner, and the door out, put together."""

import contextlib
import functools
import logging
import os
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import psycopg

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.atomically import Atomic
from django_tpq.futures.calls import COLUMNS, Claimed, Key
from django_tpq.futures.cancelling import WORD, Cancelled
from django_tpq.futures.coroutines import AsyncLane
from django_tpq.futures.delivery import Delivery, Ended
from django_tpq.futures.errors import CallTimeout
from django_tpq.futures.foreman import Terms
from django_tpq.futures.memory import resident
from django_tpq.futures.options import LANES
from django_tpq.futures.outcomes import Outcome, Success
from django_tpq.futures.places import Places, lane_of
from django_tpq.futures.postman import Postman
from django_tpq.futures.processes import ProcessLane
from django_tpq.futures.refusals import Refusals
from django_tpq.futures.reports import Reports
from django_tpq.futures.results import store
from django_tpq.futures.runner import Runner
from django_tpq.futures.ticking import Ticker
from django_tpq.futures.tidying import drop, suspect, tidy
from django_tpq.main.connections import connect, listener
from tpq.bell import Listener
from tpq.board import Board
from tpq.consumer import Consumer
from tpq.exchange import ExchangeTable
from tpq.finished import tend
from tpq.keys import KeyTable
from tpq.lanes import Lanes, Side
from tpq.own import cursor_of
from tpq.table import QueueTable
from tpq.tally import Tally

__all__ = ["Executor", "tables"]

logger = logging.getLogger("django_tpq.executor")

HOUSEKEEPING = 60.0
"""Seconds between purges."""
WEIGHING = 1.0
"""Seconds between looks at the memory that this process takes."""
TENDING = 3600.0
"""Seconds between looks at the partitions of finished calls."""
TIMEOUT = f"{CallTimeout.__module__}.{CallTimeout.__qualname__}"
NO_TERMS = Terms(())
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
        board: what it shows to the supervisor.
        places: how many calls run at once, in threads, in the event loop and in worker processes.
        terms: how worker processes work.
        drain: end when nothing is left.
        limit: end after so many calls; None: never.
        grace: seconds that running calls have when another process is to take the place of this one.
    """

    def __init__(
        self,
        *,
        alias: str,
        names: Sequence[str],
        board: Board,
        places: Places,
        terms: Terms = NO_TERMS,
        drain: bool = False,
        limit: int | None = None,
        grace: float = 30.0,
    ) -> None:
        self._alias = alias
        self._names = list(names)
        self._board, self._grace, self._max_memory = board, grace, terms.max_memory
        self._ear: Listener | None = listener(alias)
        self._ears = contextlib.ExitStack()
        self._channels: list[str] = []
        self._tally = Tally("tpq_tally")
        self._postman = Postman(store(), lambda: connect(alias))
        self._delivery = Delivery(self._tally, self._postman)
        self._reports, self._cancelled = Reports(), Cancelled(self._interrupt)
        self._runner = Runner(
            atomically=Atomic(self._delivery),
            is_cancelled=self._cancelled.__contains__,
            report=self._reports.take,
            on_stuck=self._stuck,
        )
        self._refusals = Refusals(self._runner, lambda on: tables(self._names, on), self._stop_claiming)
        self._coroutines = AsyncLane(self._runner, places.coroutines)
        self._workers = ProcessLane(
            terms, places.workers, self._reports.take, self._verified, self._cancelled.__contains__
        )
        sides: dict[int, Side[Claimed]] = {LANES["async"]: self._coroutines, LANES["process"]: self._workers}
        self._ticker = Ticker(alias)
        self._lanes = Lanes(places.threads, sides, lane_of, limit)
        self._cleaned_at = time.monotonic()
        self._tended_at = self._weighed_at = float("-inf")
        self._consumer: Consumer[Claimed] = Consumer(
            connect=lambda: connect(alias),
            tables=lambda connection: list(tables(self._names, connection).values()),
            handler=self,
            board=board,
            lanes=self._lanes,
            drain=drain,
            bell_works=lambda: self._ear is not None and self._ear.healthy,
        )

    def run(self) -> bool:
        """Work until stopped, drained, or at the limit; whether everything in hand was settled."""
        with self._ears:
            self._consumer.run()
        self._last_words()
        return self._lanes.hand.is_settled

    def stop(self, grace: float) -> None:
        """Claim no more, give back what has not begun, end when the rest has, or after so many seconds."""
        self._consumer.stop(grace)

    def _listen(self, connection: psycopg.Connection[Any]) -> None:
        if self._ear is not None and not self._channels:
            self._channels = [table.channel() for table in tables(self._names, connection).values()]
            for channel in self._channels:
                self._ears.enter_context(self._ear.subscribed(channel, self._rung))

    def _rung(self, payload: str | None) -> None:
        if payload is None or payload == WORD:
            self._cancelled.rung()
        self._consumer.rung(payload)

    def _last_words(self) -> None:
        self._postman.close(patience=5.0)
        try:
            with connect(self._alias) as connection:
                self._refusals.let_go(connection)
                self._tally.flush(connection)
                self._reports.flush(connection)
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
                suspect()
                if getattr(outcome, "type", None) == TIMEOUT:
                    drop()
            return outcome
        finally:
            try:
                tidy()
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
        batch = self._refusals.without_wrong_keys(list(map(_ended, ended)), connection)
        self._cancelled.have_ended(e.call for e in batch)
        if batch:
            self._delivery.settle(connection, batch, again=again)

    def tick(self, connection: psycopg.Connection[Any], *, idle: bool) -> float:
        """Now and then: flush the counts, purge what is over, follow the schedules; the moment of the next time."""
        self._listen(connection)
        if idle and (refused := self._refusals.take(connection)):
            self._delivery.settle(connection, refused, again=False)
        for kept in (self._tally, self._reports):
            if kept.is_due:
                kept.flush(connection)
        self._coroutines.look_after()
        if self._cancelled.is_due:
            in_hand = {name: self._lanes.hand.claims(place) for place, name in enumerate(self._names)}
            self._cancelled.look(in_hand, tables(self._names, connection))
        if self._max_memory and time.monotonic() - self._weighed_at > WEIGHING:
            self._weigh(self._max_memory)
        if time.monotonic() - self._cleaned_at > HOUSEKEEPING:
            self._clean(connection)
        if time.monotonic() - self._tended_at > TENDING:
            self._tend(connection)
        return self._ticker.tick(connection)

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
        counts += [self._reports.purge(connection, PURGED), KeyTable(connection.cursor).purge(PURGED)]
        self._cleaned_at = -HOUSEKEEPING if max(counts) >= PURGED else time.monotonic()

    # What has to end --------------------------------------------------------------------------------------

    def _interrupt(self, key: Key) -> None:
        """End a cancelled call from outside, where that can be done."""
        self._coroutines.cancel(key)
        self._workers.cancel(key)

    def _stuck(self, call: Claimed, outcome_of: Callable[[], Outcome]) -> None:
        """A call does not end: another process takes the place of this one, whose end is that of the call, too."""
        logger.error(
            "call %s of %s does not end after its timeout: this process is replaced", call.call, call.task
        )

        def abandon() -> None:
            if not self._coroutines.abandon(call.key, outcome_of):
                self._consumer.abandon(call, outcome_of)

        self._consumer.retire(self._grace, abandon)

    def _weigh(self, limit: int) -> None:
        self._weighed_at = time.monotonic()
        if (taken := resident(os.getpid()) or 0) > limit and not self._board.is_retiring:
            names = ", ".join(sorted(self._board.running())) or "nothing"
            told = "this process takes %s MiB, more than %s: it is replaced; it runs %s"
            logger.warning(told, taken >> 20, limit >> 20, names)
            self._consumer.retire(self._grace)

    def _stop_claiming(self, reason: str) -> None:
        """Claim no more, but live on: what is wrong is for a person to see."""
        self._board.say(reason)
        self._lanes.left = 0

    def _verified(self) -> None:
        self._runner.has_verified = True


_ended: Callable[[Any], Ended] = functools.partial(tuple.__new__, Ended)


@functools.cache
def _name(task: str) -> bytes:
    return task.encode()
