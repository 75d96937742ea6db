"""The lane of tasks that run in processes of their own: what computes uses the cores, and what has to end is killed."""

import queue
import threading
from collections.abc import Callable
from typing import Any

from django_tpq.futures.calls import Claimed, Key
from django_tpq.futures.context import Progress
from django_tpq.futures.foreman import Foreman, Terms
from django_tpq.futures.registry import uses

__all__ = ["ProcessLane"]

EXECUTOR = "process"


class ProcessLane:
    """Runs calls in worker processes. Each has a thread that minds it; both start when they are needed.

    Args:
        terms: how workers work.
        capacity: how many there are at most.
        report: where progress goes.
        verified: called when a worker has seen a right signature.
        is_cancelled: whether somebody wants a call to end.
    """

    def __init__(
        self,
        terms: Terms,
        capacity: int,
        report: Callable[[Claimed, Progress], Any],
        verified: Callable[[], Any],
        is_cancelled: Callable[[Claimed], bool],
    ) -> None:
        self.capacity = capacity
        self._terms, self._report, self._verified = terms, report, verified
        self._is_cancelled = is_cancelled
        self._jobs: queue.SimpleQueue[tuple[Claimed, Callable[[Any], None], Callable[[], bool]]] = (
            queue.SimpleQueue()
        )
        self._running: dict[Key, Foreman] = {}
        self._begun: set[Key] = set()
        self._foremen: list[Foreman] = []

    @property
    def is_wanted(self) -> bool:
        """Whether there are such tasks here."""
        return uses(EXECUTOR)

    def start(
        self, message: Claimed, done: Callable[[Any], None], is_ours: Callable[[], bool] = lambda: True
    ) -> None:
        """Run a call, unless it is another's when there is a worker for it."""
        self._begun.add(message.key)
        if len(self._begun) > len(self._foremen) < self.capacity:
            foreman = Foreman(self._terms, self._report)
            self._foremen.append(foreman)
            name = f"tpq-worker-{len(self._foremen)}"
            threading.Thread(target=self._work, args=(foreman,), name=name, daemon=True).start()
        self._jobs.put((message, done, is_ours))

    def cancel(self, key: Key) -> None:
        """End a call."""
        if foreman := self._running.get(key):
            foreman.cancel()

    def close(self) -> None:
        """Kill the workers."""
        for foreman in self._foremen:
            foreman.kill()

    def _work(self, foreman: Foreman) -> None:
        while True:
            message, done, is_ours = self._jobs.get()
            self._running[message.key] = foreman
            outcome = foreman.run(message, is_cancelled=self._is_cancelled, is_ours=is_ours)
            self._running.pop(message.key, None)
            self._begun.discard(message.key)
            if foreman.has_verified:
                self._verified()
            done(outcome)
