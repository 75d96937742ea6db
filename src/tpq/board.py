"""A page of memory that an executor shares with one of its processes.

The process notes on it what its threads run, without a system call; the supervisor reads it for the beat, and
after a crash it tells which calls had begun. The other way it carries the consumer's id and the last beat.
Every number has one writer.
"""

import mmap
import os
import struct
import tempfile
import time
from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

__all__ = ["LEASE", "Board", "memory_file"]

LEASE = 6.5
"""Seconds after a beat during which calls may be started. Others take a consumer for dead after 8."""

CONSUMER, BEAT, TURNED, READY, WATCHED, STATE = 0, 8, 16, 24, 32, 40
WATCHED_TABLE, SEVERAL, RETIRING, CAREFUL, HURRY = 240, 242, 244, 246, 248
SLOTS_AT = 256
SLOT = struct.Struct("=qiidH102s")
SLOT_SIZE = 128
QUICK = 0.3
"""Seconds after its begin in which what kills its process most likely does."""
SLOW = 10.0
"""Seconds after its begin in which a call with one lost delivery may be what ends its process."""
MOMENT = struct.Struct("=d")
NUMBER = struct.Struct("=q")


class _Begun(NamedTuple):
    """A call that had begun."""

    number: int
    table: int
    losses: int
    began: float


class Board:
    """The page.

    Args:
        file: its file descriptor.
        slots: how many calls may run at once, each in a slot of its own.
        apart: how many of these, the last ones, run in processes of their own: they are to blame for no other's end.
    """

    def __init__(self, file: int, slots: int, apart: int = 0) -> None:
        self.file = file
        self.slots = slots
        self._apart = apart
        self._page = mmap.mmap(file, size(slots))

    @classmethod
    def create(cls, slots: int, apart: int = 0) -> "Board":
        """A new page, in memory where the system can."""
        file = memory_file("tpq-board")
        os.ftruncate(file, size(slots))
        return cls(file, slots, apart)

    def close(self) -> None:
        """Let go of the page."""
        self._page.close()
        os.close(self.file)

    # Written by the supervisor ----------------------------------------------------------------------------

    @property
    def consumer(self) -> int:
        """The consumer's id; 0: it has none, so nothing may be claimed."""
        return int(self._get("=q", CONSUMER))

    @consumer.setter
    def consumer(self, number: int) -> None:
        self._set("=q", CONSUMER, number)

    def beaten(self, moment: float) -> None:
        """Note a beat that the server has acknowledged; the moment before it was sent."""
        self._set("=d", BEAT, moment)

    def be_careful(self, care: int) -> None:
        """Note that the process is to start suspects one by one: the last one died of one of several. With a care of 2
        slowly: that was not the first time."""
        self._set("=H", CAREFUL, care)

    def hurry(self) -> None:
        """Note that running calls have no more time. A second signal may be lost in the first."""
        self._set("=q", HURRY, 1)

    # Written by the process -------------------------------------------------------------------------------

    def turn(self) -> None:
        """Note that the claim loop is alive."""
        self._set("=d", TURNED, time.monotonic())

    def ready(self) -> None:
        """Note that the process has started."""
        self._set("=q", READY, 1)

    def retire(self) -> None:
        """Note that the process claims no more and ends when it can: another may take its place at once."""
        self._set("=H", RETIRING, 1)

    def leave(self) -> None:
        """Note that the process ends by its own will: its exit code is no task's doing."""
        self._set("=q", READY, 2)

    def say(self, state: str) -> None:
        """Note what hinders the process, in words; empty: nothing."""
        text = state.encode()[:200].decode(errors="ignore").encode()
        self._set("=200s", STATE, text)

    def watch(self, suspects: Collection[tuple[int, int]], *, is_brief: bool = False) -> None:
        """Note the table and id of the call that is to blame if the process dies now.

        Of none: whoever runs. Of several nobody is: it is one of them, and the next process finds out which. Nor is one
        whose watch is too brief for what it would be charged with.
        """
        table, number = next(iter(suspects)) if len(suspects) == 1 else (0, 0)
        self._set("=H", WATCHED_TABLE, table)
        self._set("=q", WATCHED, number)
        self._set("=H", SEVERAL, len(suspects) > 1 or (is_brief and bool(suspects)))

    def begin(self, slot: int, table: int, number: int, name: bytes, losses: int = 0) -> None:
        """Note that a call begins; `losses`: its deliveries that were lost."""
        place, name = SLOTS_AT + slot * SLOT_SIZE, name[:102]
        SLOT.pack_into(self._page, place, number, table, losses, time.monotonic(), len(name), name)

    def end(self, slot: int) -> None:
        """Note that it has ended."""
        NUMBER.pack_into(self._page, SLOTS_AT + slot * SLOT_SIZE, 0)

    # Read by both -----------------------------------------------------------------------------------------

    def is_fresh(self) -> bool:
        """Whether the claims are surely ours still, by our own clock."""
        return time.monotonic() - MOMENT.unpack_from(self._page, BEAT)[0] < LEASE  # type: ignore[no-any-return]

    @property
    def lease_ends(self) -> float:
        """The moment (monotonic) from which on the claims may be another's."""
        return float(self._get("=d", BEAT)) + LEASE

    @property
    def is_hurried(self) -> bool:
        """Whether running calls have no more time."""
        return bool(self._get("=q", HURRY))

    @property
    def is_retiring(self) -> bool:
        """Whether another may take its place."""
        return bool(self._get("=H", RETIRING))

    @property
    def care(self) -> int:
        """Whether it is to start suspects one by one (1), and slowly (2)."""
        return int(self._get("=H", CAREFUL))

    @property
    def watches_several(self) -> bool:
        """Whether it died of one of several, if it has died: those it watched, or charged twice and begun lately."""
        lately = time.monotonic() - SLOW
        charged = [call for call in self._begun() if call.losses > 1 and call.began > lately]
        return bool(self._get("=H", SEVERAL)) or (len(charged) > 1 and not self._watched())

    @property
    def is_ready(self) -> bool:
        """Whether the process has started."""
        return bool(self._get("=q", READY))

    @property
    def has_left(self) -> bool:
        """Whether the process ended by its own will."""
        return bool(self._get("=q", READY) == 2)

    @property
    def turned(self) -> float:
        """When the claim loop last was alive (monotonic); 0: never."""
        return float(self._get("=d", TURNED))

    @property
    def state(self) -> str:
        """What hinders the process, in words."""
        return bytes(self._get("=200s", STATE)).rstrip(b"\0").decode(errors="replace")

    def running(self) -> Counter[str]:
        """How many calls run now, by name."""
        slots = (SLOT.unpack_from(self._page, SLOTS_AT + i * SLOT_SIZE) for i in range(self.slots))
        return Counter(slot[5][: slot[4]].decode(errors="replace") for slot in slots if slot[0])

    def to_blame(self) -> dict[int, list[int]]:
        """After a crash: the ids of the calls that may have caused it, by the number of their table.

        It is the watched one, if one is; of several nobody is charged. But one that was charged twice, and has
        run for a moment by now, may only stand beside the culprit: slow poison, which was watched too briefly. Then it
        is those that may be that.
        """
        if self.watches_several:
            return {}
        begun, watched, now = self._begun(), self._watched(), time.monotonic()
        if watched and watched[0].losses > 1 and watched[0].began < now - QUICK:
            watched = [call for call in begun if call.losses == 1 and call.began > now - SLOW] or watched
        blamed: dict[int, list[int]] = {}
        for call in watched or begun:
            blamed.setdefault(call.table, []).append(call.number)
        return blamed

    def _watched(self) -> "list[_Begun]":
        place = int(self._get("=H", WATCHED_TABLE)), int(self._get("=q", WATCHED))
        return [call for call in self._begun() if (call.table, call.number) == place]

    def _begun(self) -> "list[_Begun]":
        slots = (
            _Begun(*SLOT.unpack_from(self._page, SLOTS_AT + i * SLOT_SIZE)[:4])
            for i in range(self.slots - self._apart)
        )
        return [call for call in slots if call.number]

    def _get(self, kind: str, place: int) -> Any:
        return struct.unpack_from(kind, self._page, place)[0]

    def _set(self, kind: str, place: int, value: Any) -> None:
        struct.pack_into(kind, self._page, place, value)


def memory_file(name: str) -> int:
    """A file without a place on a disk, where the system can; its descriptor."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create(name)
    with tempfile.TemporaryFile() as unnamed:
        return os.dup(unnamed.fileno())


def size(slots: int) -> int:
    """The bytes of a page."""
    return SLOTS_AT + slots * SLOT_SIZE
