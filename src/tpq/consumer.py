"""The claim loop of one process: claim in batches, hand out to threads, settle in batches, rest.

One thread talks to the database. It keeps a small buffer ahead of the threads that run calls, as large as they
empty in a tenth of a second, so that slow calls are not hoarded and quick ones never wait. What ended leaves in
bulk: at once when nothing else is to do, else after a few milliseconds.

A *suspect* is a message whose last run may have ended its process. It is run alone, so that the next crash
names it and nobody beside it; what is long in running does not hold it up for ever (`ALONE`).
"""

import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, NamedTuple, Protocol, TypeVar

import psycopg

from tpq.backoff import Exponential
from tpq.board import Board
from tpq.table import QueueTable, Receipt
from tpq.waiting import POLL_BEHIND_BELL, POLL_FIRST, POLL_GROWTH, POLL_LAST

__all__ = ["Claimed", "Consumer", "Handler"]

logger = logging.getLogger("tpq.consumer")

BATCH = 500
"""Messages in one claim at most."""
AHEAD = 0.1
"""Seconds of work that the buffer may hold."""
LINGER = 0.005
"""Seconds that outcomes wait for company while threads are busy."""
FULL = 200
"""Outcomes that leave without waiting for more."""
STALE = 1.0
"""Seconds in the buffer after which messages go back, for others to run."""
ALONE = 10.0
"""Seconds that a suspect may keep everything else waiting, and everything else it."""
TICK = 1.0
"""Seconds between looks for due messages and suspects."""


class Claimed(Protocol):
    """What the loop needs to know of a claimed message."""

    @property
    def id(self) -> int:
        """Its id in its table."""

    @property
    def claim_no(self) -> int:
        """With the id: the receipt."""


M = TypeVar("M", bound=Claimed)
M_contra = TypeVar("M_contra", bound=Claimed, contravariant=True)


class Handler(Protocol[M_contra]):
    """What is done with messages. Nothing here may raise, but for `settle` a database error."""

    def name(self, message: M_contra) -> bytes:
        """What the board calls it."""

    def run_one(self, message: M_contra) -> Any:
        """Run it, in one of the threads; what came out."""

    def settle(
        self,
        connection: psycopg.Connection[Any],
        ended: "Sequence[tuple[QueueTable[Any], M_contra, Any]]",
        *,
        again: bool,
    ) -> None:
        """Apply what came out of many, in the loop's thread; `again`: an earlier try may have been committed."""

    def tick(self, connection: psycopg.Connection[Any], *, idle: bool) -> None:
        """Called in each turn of the loop, for what has to be done now and then."""


class _Item(NamedTuple, Generic[M]):
    table: int
    message: M
    generation: int
    claimed_at: float


class Consumer(Generic[M]):
    """One process's loop.

    Args:
        connect: opens the loop's own autocommit connection.
        tables: the queues to serve, made anew for each connection.
        handler: what is done with messages.
        board: where the process shows what it runs, and reads its consumer's id.
        threads: how many messages run at once.
        drain: end when there is nothing left to claim.
        limit: end after so many messages; None: never.
        bell_works: whether the bell can be relied on now.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], psycopg.Connection[Any]],
        tables: Callable[[psycopg.Connection[Any]], list[QueueTable[M]]],
        handler: Handler[M],
        board: Board,
        threads: int,
        drain: bool = False,
        limit: int | None = None,
        bell_works: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connect, self._tables_on, self._handler = connect, tables, handler
        self._board, self._threads, self._drain, self._left = board, threads, drain, limit
        self._connection: psycopg.Connection[Any] | None = None
        self._tables: list[QueueTable[M]] = []
        self._inbox: queue.SimpleQueue[_Item[M] | None] = queue.SimpleQueue()
        self._outbox: deque[tuple[_Item[M], Any]] = deque()
        self._unsettled: list[tuple[_Item[M], Any]] = []
        self._settled_in_vain = False
        self._wake = threading.Event()
        self._in_hand = 0
        self._consumer = self._generation = 0
        self._hungry, self._rung, self._tick_at, self._due_at, self._stale_at = True, False, 0.0, 0.0, 0.0
        self._poll, self._rate, self._measured_at = POLL_FIRST, 0.0, time.monotonic()
        self._suspects: set[int] = set()
        self._alone_since: float | None = None
        self._deadline = float("inf")
        self._stopping = False
        self._bell_works = bell_works

    # From other threads -----------------------------------------------------------------------------------

    def rung(self, payload: str | None) -> None:
        """The bell rang."""
        self._hungry = self._rung = True
        if payload != "":
            self._tick_at = 0.0  # messages came back, or something was missed
        self._wake.set()

    def stop(self, grace: float) -> None:
        """Claim no more; give back what has not begun; end when the rest has, or after `grace` seconds."""
        self._deadline = min(self._deadline, time.monotonic() + grace)
        self._stopping = True
        self._wake.set()

    def pause(self, why: str) -> None:
        """Claim no more, but live on."""
        self._board.say(why)
        self._left = 0

    @property
    def is_settled(self) -> bool:
        """Whether everything in hand was settled."""
        return self._in_hand == 0

    # The loop ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until stopped, drained, or at the limit."""
        for slot in range(self._threads):
            threading.Thread(target=self._work, args=(slot,), name=f"tpq-{slot}", daemon=True).start()
        tries, backoff = 0, Exponential()
        while not self._is_over():
            self._board.turn()
            try:
                self._turn()
                if tries:
                    logger.info("the database is back")
                tries = 0
            except (psycopg.Error, OSError) as error:
                tries += 1
                if tries == 1:
                    logger.warning("the database is away: %s", " ".join(str(error).split()))
                self._disconnect()
                self._wake.wait(min(backoff.delay(tries).total_seconds(), 1.0))
                self._wake.clear()
        for _ in range(self._threads):
            self._inbox.put(None)
        self._disconnect()

    def _is_over(self) -> bool:
        if self._stopping:
            return self._in_hand == 0 or time.monotonic() > self._deadline
        if self._in_hand or self._suspects:
            return False
        if self._drain and not self._hungry and self._consumer:
            return True
        return self._left == 0 and not self._board.state

    def _turn(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
            self._tables = self._tables_on(self._connection)
        self._follow_consumer()
        self._settle()
        self._handler.tick(self._connection, idle=self._in_hand == 0)
        if self._stopping:
            self._release_buffer()
        elif self._consumer and self._left != 0:
            self._release_stale()
            self._tick()
            self._claim()
        self._rest()

    def _follow_consumer(self) -> None:
        """When we were taken for dead, we have a new id, and what has not begun is no longer ours."""
        number = self._board.consumer
        if number != self._consumer:
            self._generation += 1
            self._consumer, self._hungry = number, True
            self._in_hand -= len(self._drain_inbox())

    def _tick(self) -> None:
        now = time.monotonic()
        if now >= self._tick_at:
            self._tick_at = now + TICK
            self._suspects = {i for i, table in enumerate(self._tables) if table.has_suspects()}
            self._hungry = True
        if now >= self._due_at or self._tick_at == now + TICK:
            self._hungry |= any([table.promote() for table in self._tables])
            self._look_ahead()

    def _look_ahead(self) -> None:
        nexts = [seconds for table in self._tables if (seconds := table.next_due()) is not None]
        self._due_at = time.monotonic() + max(min(nexts, default=TICK), 0.0)

    def _settle(self) -> None:
        while self._outbox and len(self._unsettled) < BATCH:
            self._unsettled.append(self._outbox.popleft())
        if not self._unsettled:
            return
        assert self._connection is not None  # noqa: S101 - _turn has just connected
        ended = [(self._tables[i.table], i.message, outcome) for i, outcome in self._unsettled if outcome]
        again, self._settled_in_vain = self._settled_in_vain, True
        self._handler.settle(self._connection, ended, again=again)
        self._settled_in_vain = False
        self._in_hand -= len(self._unsettled)
        self._unsettled = []
        self._measure(len(ended))

    def _measure(self, ended: int) -> None:
        now = time.monotonic()
        passed = max(now - self._measured_at, 1e-4)
        weight = min(1.0, passed / 0.05)
        self._rate += weight * (ended / passed - self._rate)
        self._measured_at = now

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    # Claiming ---------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        if self._suspects and not self._claim_around_suspects():
            return
        want = min(2 * BATCH, self._threads + int(self._rate * AHEAD))
        room = min(BATCH, want - self._in_hand)
        if self._left is not None:
            room = min(room, self._left)
        if not self._hungry or room <= 0 or (room < want // 2 and not self._inbox.empty()):
            return
        found, rung, self._rung = 0, self._rung, False
        for index in self._turns():
            rows = self._tables[index].claim(self._consumer, room - found)
            self._hand_out(index, rows)
            found += len(rows)
            if found >= room:
                break
        self._hungry = found >= room
        self._poll = POLL_FIRST if found else min(POLL_LAST, self._poll * POLL_GROWTH)
        if rung and not found:
            self._look_ahead()  # it rang for something that falls due later

    def _turns(self) -> list[int]:
        """The queues in turn, so that a full one does not starve the others."""
        indexes = list(range(len(self._tables)))
        start = int(time.monotonic() * 1000) % len(indexes) if len(indexes) > 1 else 0
        return indexes[start:] + indexes[:start]

    def _claim_around_suspects(self) -> bool:
        """Claim a suspect when it can run alone; whether others may be claimed beside it now."""
        now = time.monotonic()
        if self._in_hand == 0 or (self._is_impatient(now) and self._in_hand < self._threads):
            self._alone_since = now
            for index in sorted(self._suspects):
                if rows := self._tables[index].claim_suspect(self._consumer):
                    self._hand_out(index, rows)
                    return False
            self._suspects.clear()
            self._alone_since, self._hungry = None, True
            return True
        if self._alone_since is None:
            self._alone_since = now
        return self._is_impatient(now)

    def _is_impatient(self, now: float) -> bool:
        return self._alone_since is not None and now - self._alone_since > ALONE

    def _hand_out(self, table: int, messages: Sequence[M]) -> None:
        now = time.monotonic()
        self._in_hand += len(messages)
        if self._left is not None:
            self._left -= len(messages)
        for message in messages:
            self._inbox.put(_Item(table, message, self._generation, now))

    # Giving back ------------------------------------------------------------------------------------------

    def _drain_inbox(self) -> list[_Item[M]]:
        items = []
        try:
            while item := self._inbox.get_nowait():
                items.append(item)  # noqa: PERF401 - ends by the exception
        except queue.Empty:
            pass
        return items

    def _release_stale(self) -> None:
        """The calls became slow: what waits behind them goes back for others."""
        now = time.monotonic()
        if now < self._stale_at or self._in_hand <= self._threads:
            return
        self._stale_at = now + STALE / 2
        items = self._drain_inbox()
        if items and now - items[0].claimed_at > STALE:
            self._release(items)
            self._rate, self._hungry = 0.0, False
        else:
            for item in items:
                self._inbox.put(item)

    def _release_buffer(self) -> None:
        if items := self._drain_inbox():
            self._release(items)

    def _release(self, items: Sequence[_Item[M]]) -> None:
        ours = [item for item in items if item.generation == self._generation]
        self._in_hand -= len(items)
        for index, table in enumerate(self._tables):
            if receipts := [Receipt(i.message.id, i.message.claim_no) for i in ours if i.table == index]:
                table.release(receipts)
                table.ring("returned")

    # Resting ----------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        if self._outbox or self._unsettled:
            self._linger()
            return
        may_claim = self._consumer and self._left != 0 and not self._stopping and not self._suspects
        if may_claim and self._hungry and self._in_hand < self._threads:
            return
        if self._drain and not self._in_hand and not self._hungry:
            return
        self._wake.wait(self._until_next_look())
        self._wake.clear()
        if self._outbox and not self._inbox.empty():
            self._linger()

    def _linger(self) -> None:
        until = time.monotonic() + LINGER
        while len(self._outbox) < FULL and not self._inbox.empty():
            left = until - time.monotonic()
            if left <= 0 or not self._wake.wait(left):
                return
            self._wake.clear()

    def _until_next_look(self) -> float:
        now = time.monotonic()
        if self._stopping or not self._consumer:
            return 0.05
        behind_bell = POLL_BEHIND_BELL if self._bell_works() or self._in_hand >= self._threads else self._poll
        if behind_bell == self._poll:
            self._hungry = True
        return max(0.001, min(behind_bell, self._tick_at - now, max(self._due_at - now, 0.001)))

    # The threads ------------------------------------------------------------------------------------------

    def _work(self, slot: int) -> None:
        board, handler, inbox, outbox, wake = (
            self._board,
            self._handler,
            self._inbox,
            self._outbox,
            self._wake,
        )
        while (item := inbox.get()) is not None:
            if not self._is_ours(item):
                outbox.append((item, None))
                wake.set()
                continue
            board.begin(slot, item.table, item.message.id, handler.name(item.message))
            outcome = handler.run_one(item.message)
            board.end(slot)
            outbox.append((item, outcome))
            if len(outbox) == 1 or inbox.empty() or len(outbox) >= FULL:
                wake.set()

    def _is_ours(self, item: _Item[M]) -> bool:
        """Whether a message may be started: not while our own clock says that it may be another's."""
        while not self._board.is_fresh():
            if item.generation != self._generation or self._stopping:
                return False
            time.sleep(0.05)
        return item.generation == self._generation
