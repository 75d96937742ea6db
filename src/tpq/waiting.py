"""Waiting for a message: the bell wakes, a poll stands behind it.

`wait` means the same everywhere: negative: do not wait; 0: wait for ever; positive: so many seconds.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tpq.bell import Listener

__all__ = ["Ear", "polls"]

POLL_BEHIND_BELL = 1.0
"""Seconds between looks while the bell works."""
POLL_FIRST, POLL_LAST, POLL_GROWTH = 0.01, 0.5, 1.5
"""Seconds between looks without a bell: from the first to the last, growing by a factor."""


class Ear:
    """One waiter's place at a bell."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._rung = threading.Event()
        self._pause = POLL_FIRST

    @classmethod
    @contextlib.contextmanager
    def on(cls, listener: Listener | None, channel: str) -> Iterator["Ear"]:
        """Listen for the block; without a listener it only polls."""
        ear = cls(listener)
        if listener is None:
            yield ear
        else:
            with listener.subscribed(channel, ear._ring):
                yield ear

    def _ring(self, _payload: str | None) -> None:
        self._rung.set()

    def wait(self, timeout: float) -> None:
        """Wait for the bell or for the next look, at most `timeout` seconds."""
        if self._listener is not None and self._listener.healthy:
            pause = POLL_BEHIND_BELL
        else:
            pause = self._pause
            self._pause = min(POLL_LAST, self._pause * POLL_GROWTH)
        self._rung.wait(min(timeout, pause))
        self._rung.clear()


def polls(wait: float, ear: Callable[[], AbstractContextManager[Ear]]) -> Iterator[None]:
    """Yield each time it is worth looking; ends when the wait is over. The ear is opened only to wait."""
    yield
    if wait < 0:
        return
    deadline = time.monotonic() + wait if wait else float("inf")
    with ear() as listening:
        yield
        while (left := deadline - time.monotonic()) > 0:
            listening.wait(min(left, threading.TIMEOUT_MAX))
            yield
