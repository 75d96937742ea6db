"""What the harness asks of a system. Standard library only: it is imported in every virtual environment."""

import functools
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar, NamedTuple

from benchmarks.marks import Marks

__all__ = ["NoResults", "Peer", "Place", "Producer", "note"]


class Place(NamedTuple):
    """Where a system is measured."""

    dsn: str
    """A fresh database, as libpq reads it."""
    url: str
    """The same as a URL, for TCP on loopback."""
    redis: str
    """A fresh Redis, as a URL; empty: the system has not asked for one."""


class NoResults(Exception):
    """A system has no documented way to give a task's result to who has enqueued it; the report says so."""


class Producer(ABC):
    """The side of a system that enqueues.

    Args:
        place: where it is measured.
        config: one of its configurations.
    """

    def __init__(self, place: Place, config: str) -> None:
        self.place = place
        self.config = config

    @abstractmethod
    def set_up(self) -> None:
        """Make its tables in the fresh database. Once; `open` and the worker follow, also in other processes."""

    @abstractmethod
    def open(self) -> None:
        """Get ready to enqueue: connections, declarations."""

    @abstractmethod
    def enqueue(self, number: int) -> None:
        """Enqueue the no-op task with a number, durably, in the way its documents recommend for one."""

    @abstractmethod
    def enqueue_many(self, numbers: Sequence[int]) -> None:
        """The same for many, in the fastest way its documents give; a loop in one transaction if there is none."""

    def ask(self, number: int) -> int:
        """Enqueue a task that returns its number, and wait for its result, in the documented way.

        Raises:
            NoResults: there is none.
        """
        raise NoResults("it gives no results to who has enqueued")

    @abstractmethod
    def is_settled(self) -> bool:
        """Whether no task is left that has not been finished for good. Cheap: it is asked often."""

    @abstractmethod
    def clear(self) -> None:
        """Forget every task, waiting or done, while no worker runs."""


class Peer(Producer):
    """Another system in one of its configurations: how it is installed, its producer, and its worker."""

    requires: ClassVar[tuple[str, ...]]
    """What pip installs, pinned."""
    python: ClassVar[tuple[int, int]] = (3, 11)
    """The oldest Python it runs on."""
    needs_redis: ClassVar[bool] = False
    configs: ClassVar[dict[str, str]]
    """Its configurations, `default` and `best`, each with a sentence what it is and where its documents say so."""
    backlog: ClassVar[dict[str, int]] = {}
    """Tasks in the backlog, by configuration, where 100,000 would take many minutes to enqueue."""

    @abstractmethod
    def work(self) -> None:
        """Be a worker, in this process, until SIGTERM. `os.execvp` of its own command is the usual way.

        The default configuration is what its documents start first; the best is what they recommend for many small
        tasks: one worker process, or one for each core where its own are made so.
        """


@functools.cache
def _marks() -> Marks:
    return Marks(os.environ["BENCH_MARKS"])


def note(number: int) -> None:
    """The body of every no-op task: note the start, and no more."""
    _marks().note(number)
