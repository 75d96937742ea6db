"""The verbs of a queue model, and a waiter on one."""

import subprocess
import sys
import time

import django

from benchmarks.driver import quantiles_of
from benchmarks.ours import CHUNK, Ours
from benchmarks.timing import drained, rate

__all__ = ["Messages"]

BODY = {"number": 1, "text": "x" * 100}


class Messages:
    """The queue of the measured project."""

    def __init__(self, ours: Ours) -> None:
        from benchmarks.project.models import BenchQueue

        self._ours, self._queue = ours, BenchQueue.objects

    def enqueue(self) -> float:
        """Messages a second, each committed."""
        return self._cleared(rate(lambda: self._queue.enqueue(BODY), 1))

    def enqueue_many(self, size: int = 1000) -> float:
        """Messages a second, so many in one go."""
        bodies = [BODY] * size
        return self._cleared(rate(lambda: self._queue.enqueue_many(bodies), size))

    def dequeue(self, rows: int = 10_000) -> float:
        """Messages a second, each taken alone."""
        self._fill(3 * rows)
        return self._cleared(drained(lambda: self._queue.dequeue() and 1, rows))

    def dequeue_many(self, rows: int = 100_000) -> float:
        """Messages a second, 500 at once."""
        self._fill(rows)
        return self._cleared(drained(lambda: len(self._queue.dequeue_many(500)), rows))

    def _fill(self, rows: int) -> None:
        for _ in range(0, rows, CHUNK):
            self._queue.enqueue_many([BODY] * CHUNK)
        self._ours.settle_down()

    def _cleared(self, figure: float) -> float:
        self._ours.peer.clear()
        return figure

    def pick_up(self, times: int = 400) -> float:
        """Milliseconds (median) from before `enqueue` here until another process has it from `dequeue(wait=0)`."""
        code = "from benchmarks.messages import _dequeue_until_told; _dequeue_until_told()"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        latencies = []
        for number in range(1, times + 1):
            time.sleep(0.005)
            started = time.monotonic_ns()
            self._queue.enqueue(number)
            latencies.append((int(process.stdout.readline()) - started) / 1e6)
        self._queue.enqueue(0)
        process.wait()
        return quantiles_of(latencies).p50


def _dequeue_until_told() -> None:
    django.setup()
    from benchmarks.project.models import BenchQueue

    print("ready", flush=True)
    while BenchQueue.objects.dequeue(wait=0):
        print(time.monotonic_ns(), flush=True)
