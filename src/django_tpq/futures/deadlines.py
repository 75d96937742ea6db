"""When a run takes longer than its task's `timeout`: it is interrupted where it is; what does not end then is stuck.

A thread can only be interrupted between two steps of Python: an exception is raised in it from outside (dramatiq's
TimeLimit and rq's timer do the same). What sits in C code for longer has its process replaced.
"""

import ctypes
import heapq
import itertools
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from django_tpq.futures.calls import Claimed
from django_tpq.futures.errors import CallTimeout

__all__ = ["LAST_SECONDS", "Guard", "Interruption", "Timers", "interrupt_thread", "stack_of_thread"]

FEW = 1000
"""Guards that are kept without a look at who has ended."""
LAST_SECONDS = 5.0
"""Seconds that a run has to end in after it was interrupted."""


class Interruption(BaseException):
    """Raised in a thread whose time is over. No `except Exception` keeps it."""


class Timers:
    """One thread that looks after guards when their moment has come. It starts with the first.

    Most runs end long before: their guards are thrown out when they are more than half of all.
    """

    def __init__(self) -> None:
        self._wake = threading.Condition()
        self._heap: list[tuple[float, int, Guard]] = []
        self._numbers = itertools.count()
        self._full = FEW
        self._thread: threading.Thread | None = None

    def after(self, seconds: float, guard: "Guard") -> None:
        """Wake a guard after so long."""
        entry = time.monotonic() + seconds, next(self._numbers), guard
        with self._wake:
            heapq.heappush(self._heap, entry)
            if len(self._heap) > self._full:
                self._heap = [each for each in self._heap if not each[2].has_ended]
                heapq.heapify(self._heap)
                self._full = max(FEW, 2 * len(self._heap))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="tpq-timers", daemon=True)
                self._thread.start()
            if self._heap[0] is entry:
                self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._heap or (left := self._heap[0][0] - time.monotonic()) > 0:
                    self._wake.wait(left if self._heap else None)
                _, _, guard = heapq.heappop(self._heap)
            if (again := guard.wake()) is not None:
                self.after(again, guard)


class Guard:
    """Sees to it that one run ends in time.

    Args:
        call: what runs.
        seconds: how long it may.
        interrupt: what interrupts it, from another thread.
        stack: where it is now, as text.
        on_stuck: called with the error when it has not ended a while after it was interrupted.
    """

    def __init__(
        self,
        call: Claimed,
        seconds: float,
        interrupt: Callable[[], None],
        stack: Callable[[], str],
        on_stuck: Callable[[CallTimeout], None],
    ) -> None:
        self._call, self._seconds = call, seconds
        self._interrupt, self._stack, self._on_stuck = interrupt, stack, on_stuck
        self._lock = threading.Lock()
        self.has_ended = False
        self._error: CallTimeout | None = None

    def start(self, timers: Timers) -> "Guard":
        """The run begins."""
        timers.after(self._seconds, self)
        return self

    def aim(self, interrupt: Callable[[], None], stack: Callable[[], str]) -> None:
        """From now on it runs elsewhere, and is interrupted by this."""
        with self._lock:
            self._interrupt, self._stack = interrupt, stack

    def end(self) -> None:
        """It has ended: from here on nothing interrupts it."""
        with self._lock:
            self.has_ended = True

    def error_for(self, error: BaseException) -> BaseException:
        """What a run ended with that raised an error: it may have done so because its time was over."""
        if self._error is None:
            return error
        return self._error.with_traceback(error.__traceback__)

    def wake(self) -> float | None:
        """Its moment has come; seconds until the next."""
        if self.has_ended:
            return None
        if self._error is not None:
            self._on_stuck(self._error)
            return None
        self._expire()
        return LAST_SECONDS

    def _expire(self) -> None:
        with self._lock:
            if not self.has_ended:
                self._error = CallTimeout(
                    f"task {self._call.task}: call {self._call.call} ran longer than its timeout of "
                    f"{self._seconds:g} s (attempt {self._call.attempt + 1}); it was here:\n{self._stack()}"
                )
                self._interrupt()


def interrupt_thread(ident: int, error: type[BaseException] | None = Interruption) -> None:
    """Raise something in a thread before its next step; None: take it back if that has not happened yet."""
    raised: Any = ctypes.py_object(error) if error else None
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), raised)


def stack_of_thread(ident: int) -> str:
    """Where a thread is now, without what is ours."""
    frame: Any = sys._current_frames().get(ident)
    frames = traceback.extract_stack(frame) if frame else []
    theirs = [f for f in frames if "django_tpq/futures/" not in f.filename.replace("\\", "/")]
    begin = next((i for i, f in enumerate(frames) if f.filename.endswith("futures/runner.py")), -1)
    kept = frames[begin + 1 :] if begin >= 0 else theirs
    return "".join(traceback.format_list([f for f in kept if f in theirs])).rstrip() or "(nowhere to be seen)"
