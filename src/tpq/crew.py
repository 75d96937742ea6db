"""The threads of one process: each takes a message from the buffer, runs it, puts what came out in the outbox."""

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from tpq.board import Board
from tpq.buffer import Buffer, Claimed, Item
from tpq.handler import Handler

__all__ = ["Crew"]

LINGER = 0.005
"""Seconds that outcomes wait for company while threads are busy."""
FULL = 200
"""Outcomes that leave without waiting for more."""

M = TypeVar("M", bound=Claimed)


class Crew(Generic[M]):
    """Some threads, their outbox, and the event that wakes who empties it."""

    def __init__(self, buffer: Buffer[M], handler: Handler[M], board: Board, threads: int) -> None:
        self._buffer = buffer
        self._handler = handler
        self._board = board
        self._threads = threads
        self._is_ending = False
        self._running: dict[int, Item[M]] = {}
        self._fresh_until = 0.0
        """Until when our claims are ours for sure (monotonic): a later beat only makes it longer."""
        self.outbox: deque[tuple[Item[M], Any]] = deque()
        self.wake = threading.Event()

    def start(self) -> None:
        """Start the threads."""
        for slot in range(self._threads):
            threading.Thread(target=self._work, args=(slot,), name=f"tpq-{slot}", daemon=True).start()

    def end(self) -> None:
        """Let the threads end after what they run."""
        self._is_ending = True
        self._buffer.end(self._threads)

    def linger(self) -> None:
        """Wait a moment for more outcomes, if more are to be expected."""
        until = time.monotonic() + LINGER
        while len(self.outbox) < FULL and not self._buffer.is_empty:
            left = until - time.monotonic()
            if left <= 0 or not self.wake.wait(left):
                return
            self.wake.clear()

    def pause(self, seconds: float, is_over: Callable[[], bool]) -> None:
        """Wait so long, though calls end meanwhile; `is_over`: whether the wait may end with the next that happens."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.wake.wait(left)
            self.wake.clear()
            if is_over():
                return

    def ended(self, item: Item[M], outcome: Any) -> None:
        """A message has ended, in whatever lane; None: it was not begun."""
        outbox = self.outbox
        outbox.append((item, outcome))
        if (count := len(outbox)) == 1 or count == FULL or self._buffer.is_empty:
            self.wake.set()

    def abandon(self, message: M, outcome_of: Callable[[], Any]) -> None:
        """Take this for what a message ended with, if it has not; its thread takes no other."""
        for slot, item in list(self._running.items()):
            if item.message is message and self._running.pop(slot, None) is item:
                self._board.end(slot)
                self.ended(item, outcome_of())

    def _work(self, slot: int) -> None:
        board, handler, buffer, running = self._board, self._handler, self._buffer, self._running
        while (item := buffer.get()) is not None:
            if not self.is_ours(item):
                self.ended(item, None)
                continue
            running[slot] = item
            message = item.message
            board.begin(slot, item.table, message.id, handler.name(message), message.deliveries)
            outcome = handler.run_one(message)
            if running.pop(slot, None) is None:
                return  # it was abandoned
            board.end(slot)
            self.ended(item, outcome)

    def is_ours(self, item: Item[M]) -> bool:
        """Whether a message may be started: not while our own clock says that it may be another's."""
        while time.monotonic() >= self._fresh_until:
            self._fresh_until = self._board.lease_ends
            if self._board.is_fresh():
                break
            if item.generation != self._buffer.generation or self._is_ending:
                return False
            time.sleep(0.05)
        return item.generation == self._buffer.generation
