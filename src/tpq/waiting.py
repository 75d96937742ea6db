"""Waiting for a message: the bell wakes, a poll stands behind it.

`wait` means the same everywhere: negative: do not wait; 0: wait for ever; positive: so many seconds.
"""

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

from tpq.bell import Listener

__all__ = ["ASKED", "Ask", "Ear", "Nap", "polls"]

POLL_BEHIND_BELL = 1.0
"""Seconds between looks while the bell works."""
POLL_FIRST, POLL_LAST, POLL_GROWTH = 0.01, 0.5, 1.5
"""Seconds between looks without a bell: from the first to the last, growing by a factor."""
ASKED = 2.5
"""Seconds for which the bell is asked for at once; it is set anew when half of them are over, at the latest."""
LAPSE = 1.0
"""Seconds after the time to ask again from which on it may not have rung meanwhile, whoever had asked."""
SETTLING = 0.1
"""Seconds of looks after the bell was switched on: for what was added before and is committed now."""
RINGS, WITHIN = 20, 0.2
"""So many rings within so many seconds are a reason to see whether they hinder those who ring."""
BUSY_POLL = 0.004
"""Seconds between looks where they do: better look than be rung for."""

Ask = Callable[[], bool | None]
"""Asks for the bell. False: it did not ring until now; None: it can not be asked for."""


class Nap:
    """How long one waiter may sleep until its next look."""

    def __init__(self) -> None:
        self._pause = POLL_FIRST
        self._ask_at = self._settled_at = self._quiet_at = self._checked_at = 0.0
        self._can_ask, self._again = True, False
        self._rings: deque[float] = deque(maxlen=RINGS)

    @property
    def is_to_ask(self) -> bool:
        """Whether to ask for the bell before the next sleep behind it."""
        now = time.monotonic()
        return now >= self._ask_at and now >= self._quiet_at

    def answered(self, answer: bool | None) -> None:
        """What was answered, as by `Ask`."""
        now = time.monotonic()
        has_lapsed = now > self._ask_at + LAPSE
        self._ask_at, self._can_ask = now + POLL_BEHIND_BELL, answer is not None
        if answer is False or has_lapsed:
            self._again, self._settled_at, self._pause = True, now + SETTLING, POLL_FIRST

    def length(self, *, works: bool, ask: Ask | None = None) -> float:
        """Seconds until the next look, 0: at once. `works`: whether a ring would be heard; `ask` asks if need be."""
        if works and ask is not None and self.is_to_ask:
            self.answered(ask())
        if self._again:
            self._again = False
            return 0.0
        now = time.monotonic()
        if now < self._quiet_at:
            return BUSY_POLL
        is_rung = works and self._can_ask and now >= self._settled_at
        return POLL_BEHIND_BELL if is_rung else self._longer()

    def _longer(self) -> float:
        pause, self._pause = self._pause, min(POLL_LAST, self._pause * POLL_GROWTH)
        return pause

    def rung(self) -> bool:
        """The bell rang; whether that is a reason to wake up."""
        now = time.monotonic()
        self._rings.append(now)
        return now >= self._quiet_at

    @property
    def is_to_check(self) -> bool:
        """Whether it rings so often that those who ring may have to wait for each other's commits."""
        rings, now = self._rings, time.monotonic()
        return len(rings) == RINGS and now - rings[0] < WITHIN <= now - self._checked_at

    def checked(self, *, is_crowded: bool) -> None:
        """Whether they do: then it is not asked for any more, as long as looks are not in vain."""
        self._checked_at = time.monotonic()
        if is_crowded:
            self._quiet_at = self._checked_at + SETTLING

    def found(self) -> None:
        """A look was not in vain."""
        self._pause = POLL_FIRST
        if (now := time.monotonic()) < self._quiet_at:
            self._quiet_at = now + SETTLING  # it would ring as often again


class Ear:
    """One waiter's place at a bell."""

    def __init__(self, listener: Listener | None, ask: Ask = lambda: True) -> None:
        self._listener = listener
        self._ask = ask
        self._rung = threading.Event()
        self._nap = Nap()

    @classmethod
    @contextlib.contextmanager
    def on(cls, listener: Listener | None, channel: str, ask: Ask = lambda: True) -> Iterator["Ear"]:
        """Listen for the block; without a listener it only polls."""
        ear = cls(listener, ask)
        if listener is None:
            yield ear
        else:
            with listener.subscribed(channel, ear._ring):
                yield ear

    def _ring(self, _payload: str | None) -> None:
        self._rung.set()

    def wait(self, timeout: float) -> None:
        """Wait for the bell or for the next look, at most `timeout` seconds."""
        works = self._listener is not None and self._listener.healthy
        self._rung.wait(min(timeout, self._nap.length(works=works, ask=self._ask)))
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
