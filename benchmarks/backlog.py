"""Ours at a backlog of any depth: its first tasks, several times, since each time takes half a second only."""

import contextlib
import os
import time
from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.driver import Quantiles, quantiles_of
from benchmarks.load import CLAIM
from benchmarks.marks import Marks
from benchmarks.ours import CHUNK, Ours

__all__ = ["Deep", "deep", "shallow"]

TASKS = 20_000
RUNS = 5
LEVELS = 5
"""Priorities."""
POLL = 0.05
"""Seconds between looks, at what comes next only: to look at all took half a core from those who are measured."""


class Deep(NamedTuple):
    """How the first of many tasks were worked off."""

    rate: float
    """The median of the runs."""
    claim: Quantiles
    """Milliseconds, of all of them."""


def shallow(ours: Ours, threads: int) -> Deep:
    """20,000 tasks and 10,000 for later, anew for each run; statistics from when it was empty."""
    with _stale_statistics(ours):
        runs = [_Backlog(ours, TASKS + CHUNK).run(threads, clear=True) for _ in range(RUNS)]
    return _together(runs)


def deep(ours: Ours, rows: int, threads: int) -> Deep:
    """As many, each third of them for later; the executor begins anew for each run, and works on where it was."""
    with _stale_statistics(ours):
        backlog = _Backlog(ours, rows)
        runs = [backlog.run(threads, clear=number == RUNS) for number in range(1, RUNS + 1)]
    return _together(runs)


def _together(runs: Sequence[tuple[float, list[float]]]) -> Deep:
    return Deep(
        median(rate for rate, _ in runs), quantiles_of([took for _, all_took in runs for took in all_took])
    )


class _Backlog:
    """Tasks of mixed priorities in chunks, a third of them for later."""

    def __init__(self, ours: Ours, rows: int) -> None:
        from benchmarks.project.tasks import note

        self._ours, self._marks = ours, Marks(os.environ["BENCH_MARKS"], rows)
        for number, start in enumerate(range(0, rows, CHUNK)):
            kind = note.using(delay=86_400) if _is_for_later(number) else note.using(priority=number % LEVELS)
            kind.delay_many([(i,) for i in range(start, min(start + CHUNK, rows))])
        chunks = (number for number in range(rows // CHUNK) if not _is_for_later(number))
        self._next = [number * CHUNK for number in sorted(chunks, key=lambda n: (-(n % LEVELS), n))]
        """Where the chunks start that are not worked off, in the order in which they will be."""

    def run(self, threads: int, *, clear: bool) -> tuple[float, list[float]]:
        """An executor on the next tasks: how many a second, and the milliseconds of its claims."""
        with self._ours.database.connect() as connection:
            connection.execute("CHECKPOINT")
        self._ours.claims.unlink(missing_ok=True)
        began, chunks = time.monotonic_ns(), self._next[: TASKS // CHUNK + 1]
        with self._ours.executor(threads, BENCH_CLAIMS=str(self._ours.claims)):
            for start in chunks:
                while 0 in self._marks.all(start, start + CHUNK):
                    time.sleep(POLL)
        starts = sorted(moment for moment in self._marks.all() if moment >= began)[:TASKS]
        self._next = [start for start in self._next if 0 in self._marks.all(start, start + CHUNK)]
        if clear:
            self._ours.peer.clear()
        took = [took * 1000 for _, took in CLAIM.iter_unpack(self._ours.claims.read_bytes())]
        return len(starts) / ((starts[-1] - starts[0]) / 1e9), took[: TASKS // 500]


def _is_for_later(chunk: int) -> bool:
    return chunk % 3 == 2


@contextlib.contextmanager
def _stale_statistics(ours: Ours) -> Iterator[None]:
    """What the planner knows is from when the queue was empty, for the block."""
    with ours.database.connect() as connection:
        connection.execute("TRUNCATE tpq_call")
        connection.execute("ALTER TABLE tpq_call SET (autovacuum_enabled = off)")
        connection.execute("ANALYZE tpq_call")
        try:
            yield
        finally:
            connection.execute("ALTER TABLE tpq_call RESET (autovacuum_enabled)")
