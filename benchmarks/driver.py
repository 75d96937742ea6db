"""What is done with a system from the producer's side: the same loops for every one. Standard library only."""

import array
import time
from collections.abc import Sequence
from statistics import quantiles
from typing import NamedTuple

from benchmarks.marks import Marks
from benchmarks.peers.peer import Producer
from benchmarks.timing import rate

__all__ = ["WINDOW", "Backlog", "Driver", "Quantiles", "Window"]

CHUNK = 1_000
WARM = 20
WINDOW = 10.0
SLICE = 0.05
"""Seconds of a steady load that are enqueued at once, if they are not more than a chunk."""
LOOKED_AT = 10_000
"""Tasks among which the first is expected."""
PATIENCE = 45.0
"""Seconds until the first task of a worker has to start."""


class Quantiles(NamedTuple):
    """Of latencies, in milliseconds."""

    p50: float
    p99: float


class Backlog(NamedTuple):
    """How much of a backlog was worked off."""

    started: int
    seconds: float
    """From the first start to the last settled; or to the end of the time that was given."""
    is_done: bool


class Window(NamedTuple):
    """Ten seconds of a steady load."""

    rate: float
    """Tasks a second that were started."""
    p50: float
    """Milliseconds from before the call to the start."""
    p99: float


class Driver:
    """The producer of one system.

    Args:
        peer: the system, which has been set up.
        marks: the file for start times.
    """

    def __init__(self, peer: Producer, marks: str) -> None:
        self._peer, self._file = peer, marks
        self._marks = Marks(marks, 1)
        peer.open()

    def singly(self) -> float:
        """Tasks a second, each enqueued alone."""
        self._peer.enqueue(0)
        figure = rate(lambda: self._peer.enqueue(0), 1)
        self._peer.clear()
        return figure

    def many(self, size: int) -> float:
        """Tasks a second, so many in one go."""
        numbers = list(range(size))
        figure = rate(lambda: self._peer.enqueue_many(numbers), size)
        self._peer.clear()
        return figure

    def clear(self) -> None:
        """Forget every task."""
        self._peer.clear()

    def fill(self, count: int, chunk: int = CHUNK, by: str = "enqueue_many") -> None:
        """Make a backlog, numbered from 0."""
        self._marks, enqueue = Marks(self._file, count), getattr(self._peer, by)
        for start in range(0, count, chunk):
            enqueue(range(start, min(start + chunk, count)))

    def first(self) -> None:
        """Wait until a task has started."""
        self._wait_for_first()

    def drained(self, limit: float) -> Backlog:
        """Wait until the backlog is settled, at most so many seconds from its first start."""
        self._wait_for_first()
        deadline = time.monotonic() + limit
        while not self._marks.are_complete and time.monotonic() < deadline:
            time.sleep(0.01)
        is_done, deadline = self._marks.are_complete, deadline + 10
        while is_done and not self._peer.is_settled():
            if time.monotonic() > deadline:
                raise TimeoutError("all tasks have started, but they are not settled")
            time.sleep(0.002)
        end = time.monotonic_ns()
        started = [moment for moment in self._marks.all() if moment]
        return Backlog(len(started), (end - min(started)) / 1e9, is_done)

    def _wait_for_first(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not any(self._marks.all(0, LOOKED_AT)):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no task has started within {PATIENCE:g} s")
            time.sleep(0.01)

    def pick_up(self, times: int, a_second: float) -> Quantiles:
        """From before a call to the task's first line, while a worker is idle."""
        self._warm_up()
        self._marks, asked = Marks(self._file, times + WARM), []
        for number in range(times + WARM):
            asked.append(time.monotonic_ns())
            self._peer.enqueue(number)
            time.sleep(1 / a_second)
        deadline = time.monotonic() + 10
        while not self._marks.are_complete and time.monotonic() < deadline:
            time.sleep(0.01)
        pairs = list(zip(asked, self._marks.all(), strict=True))[WARM:]
        # One that never came counts as the whole wait.
        return quantiles_of([((start or time.monotonic_ns()) - ask) / 1e6 for ask, start in pairs])

    def _warm_up(self) -> None:
        """Wait until the worker is up."""
        self._marks = Marks(self._file, 1)
        self._peer.enqueue(0)
        self._wait_for_first()

    def round_trips(self, times: int, limit: float = 10.0) -> Quantiles:
        """From before a call to its result, one after the other; fewer of them if they take too long."""
        self._marks = Marks(self._file, times + WARM)
        trips, deadline = [], time.monotonic() + limit
        for number in range(times + WARM):
            started = time.perf_counter()
            answer = self._peer.ask(number)
            if answer != number:
                raise ValueError(f"asked for {number}, got {answer!r}")
            trips.append((time.perf_counter() - started) * 1000)
            if time.monotonic() > deadline and len(trips) > WARM + 10:
                break
        return quantiles_of(trips[WARM:])

    def sustain(self, seconds: float, a_second: float) -> list[Window]:
        """Enqueue at a steady rate while a worker runs; what was started in each ten seconds, and how late."""
        self._warm_up()
        self._marks = Marks(self._file, int(seconds * a_second))
        asked = array.array("q", bytes(8 * self._marks.count))
        began, number = time.monotonic_ns(), 0
        while number < self._marks.count:
            due = min(self._marks.count, int((time.monotonic_ns() - began) / 1e9 * a_second))
            if due - number < min(CHUNK, a_second * SLICE, self._marks.count - number):
                time.sleep(0.002)
                continue
            due = min(due, number + CHUNK)
            asked[number:due] = array.array("q", [time.monotonic_ns()]) * (due - number)
            self._peer.enqueue_many(range(number, due))
            number = due
        starts = self._marks.all()
        return [_window(began, place, asked, starts) for place in range(int(seconds / WINDOW))]


def _window(began: int, place: int, asked: Sequence[int], starts: Sequence[int]) -> Window:
    first, last = began + int(place * WINDOW * 1e9), began + int((place + 1) * WINDOW * 1e9)
    late = [(start - ask) / 1e6 for ask, start in zip(asked, starts, strict=True) if first <= start < last]
    return Window(len(late) / WINDOW, *(quantiles_of(late) if len(late) > 1 else (0.0, 0.0)))


def quantiles_of(values: list[float]) -> Quantiles:
    """The median and the 99th percentile."""
    cuts = quantiles(values, n=100)
    return Quantiles(cuts[49], cuts[98])
