"""The claim loop of one process: claim in batches, hand out to threads, settle in batches, rest.

One thread talks to the database. It keeps a small buffer ahead of those that run messages, in each lane. What ended
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
from tpq.buffer import Claimed
from tpq.crew import Crew
from tpq.exchange import Along, ExchangeTable
from tpq.feeder import Feeders
from tpq.floors import Ground
from tpq.handler import Handler
from tpq.lanes import Lane, Lanes
from tpq.outgoing import Outgoing
from tpq.pace import in_turn
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
        lanes: where messages run.
        drain: end when there is nothing left to claim.
        bell_works: whether the bell can be relied on now.
    """

    def __init__(
        self,
        *,
        connect: Callable[[], psycopg.Connection[Any]],
        tables: Callable[[psycopg.Connection[Any]], list[ExchangeTable[M]]],
        handler: Handler[M],
        board: Board,
        lanes: Lanes[M],
        drain: bool = False,
        bell_works: Callable[[], bool] = lambda: False,
    ) -> None:
        self._connect, self._tables_on, self._handler = connect, tables, handler
        self._board, self._lanes, self._drain, self._bell_works = board, lanes, drain, bell_works
        self._connection: psycopg.Connection[Any] | None = None
        self._tables: list[ExchangeTable[M]] = []
        self._crew = Crew(lanes.main.buffer, handler, board, lanes.main.capacity)
        self._feeders = Feeders(lanes, self._crew, board, handler.name)
        self._quarantine = Quarantine(board, lanes)
        self._outgoing = Outgoing(handler, self._crew.outbox)
        self._hand = lanes.hand
        self._consumer = 0
        self._rung, self._is_idle, self._tick_at = False, False, float("inf")
        self._agenda, self._ground, self._nap = Agenda(), Ground(), Nap()
        self._stopping, self._deadline = False, float("inf")
        self._stuck: list[Callable[[], None]] = []

    # From other threads -----------------------------------------------------------------------------------

    def rung(self, payload: str | None) -> None:
        """The bell rang."""
        self._lanes.make_hungry()
        self._rung = True
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

    def abandon(self, message: M, outcome_of: Callable[[], Any]) -> None:
        """Take this for what a message of a thread ended with, whatever the thread does."""
        self._crew.abandon(message, outcome_of)

    def retire(self, grace: float, abandon: Callable[[], None] | None = None) -> None:
        """As `stop`, and another may take our place. `abandon` gives up what does not end: called when all else has."""
        self._stuck += [abandon] if abandon else []
        self._board.retire()
        self.stop(grace)

    # The loop ---------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until stopped, drained, or at the limit."""
        self._crew.start()
        self._feeders.start()
        tries = 0
        while not self._is_over():
            self._board.turn()
            self._quarantine.turn()
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
        self._feeders.end()
        self._disconnect()

    def _is_over(self) -> bool:
        if self._stopping:
            is_late = time.monotonic() > self._deadline
            while self._stuck and (is_late or len(self._hand) <= len(self._stuck)):
                is_late = False  # what does not end is all that is left: it is given up, and settled by the next turn
                self._stuck.pop()()
            return not self._hand or is_late
        if not self._hand.is_settled:
            return False
        is_at_limit = self._lanes.left == 0
        is_done = self._drain and self._consumer and (self._has_nothing_left or is_at_limit)
        return bool(is_done) or (is_at_limit and not self._board.state)

    @property
    def _has_nothing_left(self) -> bool:
        return not self._lanes.hungry and self._ground.sweep_at == float("inf")

    def _turn(self) -> None:
        if self._connection is None:
            self._connection = self._connect()
            self._tables = self._tables_on(self._connection)
            self._ground.renew()
            self._lanes.make_hungry()
        self._follow_consumer()
        if self._consumer and self._hand.recall(self._consumer, self._tables):
            self._lanes.make_hungry()
        index, along = self._settle()
        # Before the next calls: what was just settled is to be counted even if the next call kills the process.
        self._tick_at = self._handler.tick(self._connection, idle=self._is_idle)
        self._hand_out(index, along)
        if self._stopping:
            self._hand.give_back(self._tables, self._lanes.generation, self._lanes.take_all())
        elif self._may_claim:
            if stale := self._lanes.take_stale():
                self._hand.give_back(self._tables, self._lanes.generation, stale)
            self._tick()
            self._claim()
        self._rest()

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    @property
    def _may_claim(self) -> bool:
        return (
            bool(self._consumer) and self._lanes.left != 0 and not self._stopping and self._board.is_fresh()
        )

    def _follow_consumer(self) -> None:
        """When we were taken for dead, we get a new id, and what has not begun is no longer ours."""
        number = self._board.consumer
        if number != self._consumer:
            self._lanes.renew()
            self._lanes.make_hungry()
            self._consumer = number
            self._ground.returned()
            self._hand.trust()
            self._hand.let_go(self._lanes.take_all())

    def _tick(self) -> None:
        if self._nap.is_to_check:
            self._nap.checked(is_crowded=self._tables[0].is_crowded())
        is_time, is_due = self._agenda.now(rung=self._rung)
        if is_time:
            self._quarantine.sight(self._tables)
            self._lanes.probe(self._tables)
            self._lanes.make_hungry()
        if (is_time or is_due) and self._agenda.promote(self._tables):
            self._lanes.make_hungry()

    def _settle(self) -> tuple[int, Sequence[M]]:
        """Settle what has ended; the number of a table, and what was claimed there by the same statement."""
        index = in_turn(len(self._tables))[0]
        if self._outgoing.gather():
            assert self._connection is not None  # noqa: S101 - _turn has just connected
            with self._tables[index].claiming(self._along(index)):
                items = self._outgoing.settle(self._connection, self._tables)
            self._quarantine.have_ended((item.table, item.message.id) for item in items)
            self._hand.let_go(items)
            self._lanes.ended(items)
        return index, self._tables[index].found()

    def _along(self, index: int) -> Along | None:
        may = self._may_claim and not self._outgoing.is_again
        room = self._lanes.room(self._lanes.main, self._outgoing.leaving(0)) if may else 0
        return Along(self._consumer, room, self._ground.of(index)) if room else None

    # Claiming ---------------------------------------------------------------------------------------------

    def _claim(self) -> None:
        self._hand_out(*self._quarantine.claim(self._consumer, self._tables))
        if self._ground.is_due():
            self._lanes.make_hungry()
        if not (lanes := [lane for lane in self._lanes.awake if self._lanes.room(lane)]):
            return
        rung, self._rung = self._rung, False
        found = sum(map(self._claim_for, lanes))
        if found:
            self._nap.found()
        self._is_idle = not found and not self._hand
        if rung and not found:
            self._agenda.look_ahead(self._tables)  # it rang for something that falls due later
        if self._drain and self._is_idle:
            self._lanes.probe(self._tables)
        if self._drain and self._is_idle and not self._has_nothing_left:
            self._ground.returned()  # sweep all at once: in turn, doubts never end
            self._lanes.make_hungry()

    def _claim_for(self, lane: Lane[M]) -> int:
        """Claim for one lane; how many were found."""
        # From here on it is only set, whatever it was: the bell may ring meanwhile, in its own thread.
        found, room, lane.hungry = 0, self._lanes.room(lane), False
        for index in in_turn(len(self._tables)):
            floors = self._ground.of(index, lane.number)
            rows = self._tables[index].claim(self._consumer, room - found, floors, lane.number)
            self._hand_out(index, rows)
            found += len(rows)
            if found >= room:
                lane.hungry = True
                break
        return found

    def _hand_out(self, table: int, messages: Sequence[M]) -> None:
        if messages:
            self._is_idle = False
            self._lanes.take(table, messages)

    # Resting ----------------------------------------------------------------------------------------------

    def _rest(self) -> None:
        crew = self._crew
        if crew.outbox or self._outgoing:
            return None if self._may_claim and self._lanes.are_behind else crew.linger()
        if self._may_claim and self._lanes.have_room(hungry=True):
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
        pause = min(self._agenda.next_at, self._tick_at) - now
        if self._lanes.have_room(hungry=False):
            nap = self._nap.length(works=self._bell_works(), ask=lambda: ask(self._tables, ASKED))
            if nap < POLL_BEHIND_BELL:
                self._lanes.make_hungry()
            pause = min(pause, nap)
        sweep_at = float("inf") if self._lanes.hungry else self._ground.sweep_at
        return max(0.001, min(pause, sweep_at - now, self._quarantine.rest))
