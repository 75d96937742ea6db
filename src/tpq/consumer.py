"""The claim loop of one process: claim in batches, hand out to threads, settle in batches, rest.

One thread talks to the database. It keeps a small buffer ahead of the threads that run messages. What ended
leaves in bulk: at once when nothing else is to do, else after a few milliseconds.
"""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

import psycopg

from tpq.agenda import Agenda, ask
from tpq.backoff import RECONNECT
from tpq.board import Board
from tpq.buffer import Buffer, Claimed
from tpq.crew import Crew
from tpq.exchange import Along, ExchangeTable
from tpq.floors import Ground
from tpq.hand import Hand
from tpq.handler import Handler
from tpq.outgoing import Outgoing
from tpq.pace import BATCH, Pace, in_turn
from tpq.quarantine import Quarantine
from tpq.waiting import ASKED, POLL_BEHIND_BELL, Nap

__all__ = ["Consumer"]

logger = logging.getLogger("tpq.consumer")

M = TypeVar("M", bound=Claimed)


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
        tables: Callable[[psycopg.Connection[Any]], list[ExchangeTable[M]]],
        handler: Handler[M],
        board: Board,
        threads: int,
        drain: bool = False,
        limit: int | None = None,
        bell_works: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connect, self._tables_on, self._handler = connect, tables, handler
        self._board, self._threads, self._drain, self._left = board, threads, drain, limit
        self._bell_works = bell_works
        self._connection: psycopg.Connection[Any] | None = None
        self._tables: list[ExchangeTable[M]] = []
        self._buffer: Buffer[M] = Buffer()
        self._crew = Crew(self._buffer, handler, board, threads)
        self._pace, self._quarantine = Pace(threads), Quarantine()
        self._outgoing = Outgoing(handler, self._crew.outbox)
        self._hand: Hand[M] = Hand()
        self._consumer = 0
        self._hungry, self._rung, self._is_idle = True, False, False
        self._agenda, self._ground = Agenda(), Ground()
        self._nap = Nap()
        self._stopping, self._deadline = False, float("inf")

    # From other threads -----------------------------------------------------------------------------------

    def rung(self, payload: str | None) -> None:
        """The bell rang."""
        self._hungry = self._rung = True
        if payload != "":
            self._agenda.hurry()  # messages came back, or something was missed
            self._ground.returned()
        if self._nap.rung() or payload != "":
            self._crew.wake.set()

    def stop(self, grace: float) -> None:
        """Claim no more; give back what has not begun; end when the rest has, or after `grace` seconds."""
        self._deadline = min(self._deadline, time.monotonic() + grace)
        self._stopping = True
        self._crew.wake.set()

    def pause(self, why: str) -> None:
        """Claim no more, but live on."""
        self._board.say(why)
        self._left = 0

    @property
    def is_settled(self) -> bool:
        """Whether nothing is in hand, nor claimed for us without our knowing."""
        return not self._hand and self._hand.is_sure

    # The loop ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until stopped, drained, or at the limit."""
        self._crew.start()
        tries = 0
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
                self._hand.doubt()
                self._crew.pause(RECONNECT.delay(tries).total_seconds(), lambda: self._stopping)
        self._crew.end()
        self._disconnect()

    def _is_over(self) -> bool:
        if self._stopping:
            return not self._hand or time.monotonic() > self._deadline
        if not self.is_settled:
            return False
        if self._drain and self._consumer and (self._has_nothing_left or self._left == 0):
            return True
        return self._left == 0 and not self._board.state

    @property
    def _has_nothing_left(self) -> bool:
        return not self._hungry and self._ground.sweep_at == float("inf")

    def _turn(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
            self._tables = self._tables_on(self._connection)
            self._ground.renew(len(self._tables))
        self._follow_consumer()
        if self._consumer and self._hand.recall(self._consumer, self._tables):
            self._hungry = True
        index, along = self._settle()
        # Before the next calls: what was just settled is to be counted even if the next call kills the process.
        self._handler.tick(self._connection, idle=self._is_idle)
        self._hand_out(index, along)
        if self._stopping:
            self._hand.give_back(self._tables, self._buffer.generation, self._buffer.take_all())
        elif self._may_claim:
            self._release_stale()
            self._tick()
            self._claim()
        self._rest()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _may_claim(self) -> bool:
        return bool(self._consumer) and self._left != 0 and not self._stopping and self._board.is_fresh()

    def _follow_consumer(self) -> None:
        """When we were taken for dead, we get a new id, and what has not begun is no longer ours."""
        number = self._board.consumer
        if number != self._consumer:
            self._buffer.generation += 1
            self._consumer, self._hungry = number, True
            self._ground.returned()
            self._hand.trust()
            self._hand.let_go(self._buffer.take_all())

    def _tick(self) -> None:
        if self._nap.is_to_check:
            self._nap.checked(is_crowded=self._tables[0].is_crowded())
        is_time, is_due = self._agenda.now(rung=self._rung)
        if is_time:
            self._quarantine.sight(i for i, table in enumerate(self._tables) if table.has_suspects())
            self._hungry = True
        if (is_time or is_due) and self._agenda.promote(self._tables):
            self._hungry = True

    def _settle(self) -> tuple[int, Sequence[M]]:
        """Settle what has ended; the number of a table, and what was claimed there by the same statement."""
        index = in_turn(len(self._tables))[0]
        if self._outgoing.gather():
            assert self._connection is not None  # noqa: S101 - _turn has just connected
            with self._tables[index].claiming(self._along(index)):
                items = self._outgoing.settle(self._connection, self._tables)
            self._quarantine.have_ended((item.table, item.message.id) for item in items)
            self._hand.let_go(items)
            self._pace.ended(len(items))
        return index, self._tables[index].found()

    def _along(self, index: int) -> Along | None:
        has_suspects = self._quarantine.tables or self._quarantine.is_watching
        may = self._may_claim and not has_suspects and not self._outgoing.is_again
        room = self._room(leaving=len(self._outgoing)) if may else 0
        return Along(self._consumer, room, self._ground[index]) if room else None

    # Claiming ---------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        self._board.watch(self._quarantine.watched)
        if self._quarantine.is_watching or (self._quarantine.tables and self._claim_suspect()):
            return
        if self._ground.is_due():
            self._hungry = True
        if not (room := self._room()):
            return
        # From here on it is only set, whatever it was: the bell may ring meanwhile, in its own thread.
        found, rung, self._rung, self._hungry = 0, self._rung, False, False
        for index in in_turn(len(self._tables)):
            rows = self._tables[index].claim(self._consumer, room - found, self._ground[index])
            self._hand_out(index, rows)
            found += len(rows)
            if found >= room:
                self._hungry = True
                break
        if found:
            self._nap.found()
        self._is_idle = not found and not self._hand
        if rung and not found:
            self._agenda.look_ahead(self._tables)  # it rang for something that falls due later
        if self._drain and self._is_idle and not self._has_nothing_left:
            self._ground.returned()  # sweep all at once: in turn, doubts never end
            self._hungry = True

    def _room(self, leaving: int = 0) -> int:
        """How many to claim now, when so many are leaving our hands."""
        in_hand = len(self._hand) - leaving
        if not self._hungry or not (self._pace.has_room(in_hand) or self._buffer.is_empty):
            return 0
        room = min(BATCH, self._pace.want - in_hand)
        return max(0, room if self._left is None else min(room, self._left))

    def _claim_suspect(self) -> bool:
        """Claim one suspect for a free thread; whether nothing else may be claimed now."""
        if not self._buffer.is_empty or len(self._hand) >= self._threads:
            return True
        for index in self._quarantine.tables:
            for message in self._tables[index].claim_suspect(self._consumer):
                self._quarantine.watch(index, message.id, message.deliveries)
                self._board.watch(self._quarantine.watched)
                self._hand_out(index, [message])
                return True
        self._quarantine.clear()
        self._hungry = True
        return False

    def _hand_out(self, table: int, messages: Sequence[M]) -> None:
        if not messages:
            return
        self._hand.take(table, messages)
        self._is_idle = False
        if self._left is not None:
            self._left = max(0, self._left - len(messages))
        self._buffer.put(table, messages)

    def _release_stale(self) -> None:
        if len(self._hand) > self._threads and (items := self._buffer.take_stale()):
            self._hand.give_back(self._tables, self._buffer.generation, items)
            self._pace.slow_down()
            self._hungry = False

    # Resting ----------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        crew = self._crew
        if crew.outbox or self._outgoing:
            is_behind = self._may_claim and self._hungry and self._pace.has_room(len(self._hand))
            return None if is_behind else crew.linger()
        is_free = len(self._hand) < self._threads
        if self._may_claim and self._hungry and is_free and not self._quarantine.tables:
            return None
        if self._drain and not self._hand and self._has_nothing_left:
            return None
        crew.wake.wait(self._until_next_look())
        crew.wake.clear()
        return crew.linger() if crew.outbox else None

    def _until_next_look(self) -> float:
        now = time.monotonic()
        if not self._may_claim:
            return 0.05
        pause = self._agenda.next_at - now
        if len(self._hand) < self._threads:
            nap = self._nap.length(works=self._bell_works(), ask=lambda: ask(self._tables, ASKED))
            if nap < POLL_BEHIND_BELL:
                self._hungry = True
            pause = min(pause, nap)
        sweep_at = float("inf") if self._hungry else self._ground.sweep_at
        return max(0.001, min(pause, sweep_at - now, self._quarantine.rest))
