"""One thread that starts the messages of a lane beside the crew, as many at once as it has slots."""

import functools
import queue
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tpq.board import Board
from tpq.buffer import Claimed, Item
from tpq.crew import Crew
from tpq.lanes import Lane, Lanes, Side

__all__ = ["Feeder", "Feeders"]

M = TypeVar("M", bound=Claimed)


class Feeder(Generic[M]):
    """Feeds a lane.

    Args:
        name: what the board calls a message.
        first_slot: of its own on the board.
    """

    def __init__(
        self,
        lane: Lane[M],
        side: Side[M],
        crew: Crew[M],
        board: Board,
        name: Callable[[M], bytes],
        first_slot: int,
    ) -> None:
        self._lane, self._side, self._crew, self._board, self._name = lane, side, crew, board, name
        self._free: queue.SimpleQueue[int] = queue.SimpleQueue()
        for slot in range(first_slot, first_slot + lane.capacity):
            self._free.put(slot)

    def start(self) -> None:
        """Start the thread."""
        name = f"tpq-lane-{self._lane.number}"
        threading.Thread(target=self._feed, name=name, daemon=True).start()

    def end(self) -> None:
        """Let it end, and what still runs be given up."""
        self._lane.buffer.end(1)
        self._side.close()

    def _feed(self) -> None:
        while True:
            slot = self._free.get()  # first, so that what waits can be taken back
            if (item := self._lane.buffer.get()) is None:
                return
            if self._crew.is_ours(item):
                message = item.message
                self._board.begin(slot, item.table, message.id, self._name(message), message.deliveries)
                is_ours = functools.partial(self._crew.is_ours, item)
                self._side.start(item.message, functools.partial(self._done, slot, item), is_ours)
            else:
                self._free.put(slot)
                self._crew.ended(item, None)

    def _done(self, slot: int, item: Item[M], outcome: Any) -> None:
        self._board.end(slot)
        self._free.put(slot)
        self._crew.ended(item, outcome)


class Feeders(Generic[M]):
    """One for each lane beside the crew; their slots on the board follow the crew's."""

    def __init__(self, lanes: Lanes[M], crew: Crew[M], board: Board, name: Callable[[M], bytes]) -> None:
        self._all, slot = list[Feeder[M]](), lanes.main.capacity
        for lane in lanes.beside:
            self._all.append(Feeder(lane, lanes.sides[lane.number], crew, board, name, slot))
            slot += lane.capacity

    def start(self) -> None:
        """Start them."""
        for feeder in self._all:
            feeder.start()

    def end(self) -> None:
        """Let them end."""
        for feeder in self._all:
            feeder.end()
