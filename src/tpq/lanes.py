"""The lanes of one process: the crew's threads are the first; others stand beside it, such as an event loop.

Each lane has a line, a pace and a hunger of its own, and what runs in it is claimed by itself: one that is full stands
in no other's way.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Generic, Protocol, TypeVar

from tpq.buffer import Buffer, Claimed, Item
from tpq.hand import Hand
from tpq.pace import BATCH, Pace
from tpq.table import QueueTable

__all__ = ["Lane", "Lanes", "Side"]

M = TypeVar("M", bound=Claimed)
M_contra = TypeVar("M_contra", contravariant=True)


class Side(Protocol[M_contra]):
    """What runs the messages of a lane beside the crew."""

    capacity: int
    """How many may run at once."""

    @property
    def is_wanted(self) -> bool:
        """Whether to look for its messages all the time; else only when somebody has seen one."""

    def start(self, message: M_contra, done: Callable[[Any], None], is_ours: Callable[[], bool]) -> None:
        """Begin to run one.

        Args:
            done: is called once with what came out, from any thread, before this returns or later; None: it never ran.
            is_ours: whether it may still be begun, for who does not do so at once. May wait for the answer.
        """

    def close(self) -> None:
        """End: what still runs is given up."""


class Lane(Generic[M]):
    """One lane.

    Args:
        number: what its rows say in the column `lane`.
        capacity: how many messages run in it at once.
        hand: all that is in hand.
    """

    def __init__(self, number: int, capacity: int, hand: Hand[M]) -> None:
        self.number, self.capacity = number, capacity
        self.buffer: Buffer[M] = Buffer(number)
        self.pace = Pace(capacity)
        self.hungry = True
        """Whether there may be something to claim."""
        self.is_seen = False
        """Whether something was seen in it lately."""
        self.is_closed = False
        """Whether suspects come first: nothing else may be claimed for it now."""
        self._hand = hand

    @property
    def in_hand(self) -> int:
        """How many of its messages are claimed and not settled."""
        return self._hand.count(self.number)

    def room(self, leaving: int = 0) -> int:
        """How many to claim now, when so many are about to leave."""
        in_hand = self.in_hand - leaving
        if self.is_closed or not self.hungry or not (self.pace.has_room(in_hand) or self.buffer.is_empty):
            return 0
        return max(0, min(BATCH, self.pace.want - in_hand))


class Lanes(Generic[M]):
    """All lanes of a process; to whom it does not matter, they are one line.

    Args:
        threads: how many messages the first lane runs at once.
        sides: what runs the others, by their numbers.
        lane_of: the number of the lane that a message is to run in, whatever its row says.
        limit: how many messages to take; None: any number.
    """

    def __init__(
        self,
        threads: int,
        sides: Mapping[int, Side[M]] = MappingProxyType({}),
        lane_of: Callable[[M], int] = lambda message: 0,
        limit: int | None = None,
    ) -> None:
        self.hand: Hand[M] = Hand([0, *sides])
        self.main: Lane[M] = Lane(0, threads, self.hand)
        self.beside = [Lane(number, side.capacity, self.hand) for number, side in sides.items()]
        self.all = [self.main, *self.beside]
        self.sides, self._lane_of, self.left = sides, lane_of, limit

    # Which there are --------------------------------------------------------------------------------------

    @property
    def awake(self) -> list[Lane[M]]:
        """Those in which there may be something."""
        return [self.main, *filter(self._is_awake, self.beside)] if self.beside else self.all

    def _is_awake(self, lane: Lane[M]) -> bool:
        return lane.is_seen or self.sides[lane.number].is_wanted

    def probe(self, tables: Iterable[QueueTable[Any]]) -> None:
        """See whether there is something in one of the others."""
        if asleep := [lane for lane in self.beside if not self._is_awake(lane)]:
            seen = {number for table in tables for number in table.lanes([lane.number for lane in asleep])}
            for lane in asleep:
                lane.is_seen = lane.number in seen

    # Hunger and room --------------------------------------------------------------------------------------

    @property
    def hungry(self) -> bool:
        """Whether there may be something to claim for one of them."""
        return any(lane.hungry for lane in self.awake)

    def make_hungry(self) -> None:
        """There may be something for each of them. From any thread."""
        for lane in self.all:
            lane.hungry = True

    @property
    def are_behind(self) -> bool:
        """Whether one could do with more than it has."""
        return any(
            lane.hungry and not lane.is_closed and lane.pace.has_room(lane.in_hand) for lane in self.awake
        )

    def have_room(self, *, hungry: bool) -> bool:
        """Whether one could run something more at once; `hungry`: that may be there, too."""
        lanes = [lane for lane in self.awake if not lane.is_closed]
        return any(lane.in_hand < lane.capacity for lane in lanes if lane.hungry or not hungry)

    def ended(self, items: Sequence[Item[M]]) -> None:
        """These have ended: measure the pace."""
        lanes = self.awake
        for lane in lanes:
            count = len(items) if len(lanes) == 1 else sum(item.lane == lane.number for item in items)
            lane.pace.ended(count)

    # What is in them --------------------------------------------------------------------------------------

    @property
    def generation(self) -> int:
        """Which consumer id messages are claimed by."""
        return self.main.buffer.generation

    def renew(self) -> None:
        """From now on they are claimed by another."""
        for lane in self.all:
            lane.buffer.generation += 1

    def room(self, lane: Lane[M], leaving: int = 0) -> int:
        """How many to claim now for a lane, when so many are about to leave it."""
        room = lane.room(leaving)
        return room if self.left is None else min(room, self.left)

    def free(self, lane: Lane[M]) -> int:
        """How many messages a lane could begin to run at once."""
        free = lane.capacity - lane.in_hand if lane.buffer.is_empty else 0
        return max(0, free if self.left is None else min(free, self.left))

    def take(self, table: int, messages: Sequence[M]) -> None:
        """Take claimed messages in hand, each in the lane that it is to run in."""
        if self.left is not None:
            self.left = max(0, self.left - len(messages))
        for lane, group in self._sorted(messages):
            self.hand.take(table, group, lane.number)
            lane.buffer.put(table, group)

    def _sorted(self, messages: Sequence[M]) -> Iterable[tuple[Lane[M], Sequence[M]]]:
        if len(self.awake) == 1:
            return [(self.main, messages)]
        by_lane: dict[int, list[M]] = {}
        for message in messages:
            by_lane.setdefault(self._lane_of(message), []).append(message)
        return [(lane, by_lane[lane.number]) for lane in self.all if lane.number in by_lane]

    def take_all(self) -> list[Item[M]]:
        """Take back what has not begun."""
        return [item for lane in self.all for item in lane.buffer.take_all()]

    def take_stale(self) -> list[Item[M]]:
        """Take back what has waited too long where all are busy: the messages of that lane have become slow."""
        stale: list[Item[M]] = []
        for lane in self.all:
            if lane.in_hand > lane.capacity and (items := lane.buffer.take_stale()):
                lane.pace.slow_down()
                lane.hungry = False
                stale += items
        return stale
