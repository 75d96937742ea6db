"""Ours under load: a held snapshot, many producers, several processes."""

import multiprocessing
import os
import struct
import time
from typing import NamedTuple

import django

from benchmarks.contest import held
from benchmarks.driver import Quantiles, Window, quantiles_of
from benchmarks.marks import Marks
from benchmarks.ours import CHUNK, Ours
from benchmarks.processes import children, cpu

__all__ = ["CLAIM", "Scaled", "Steady", "bell", "scaled", "steady"]

CLAIM = struct.Struct("=dd")


class Steady(NamedTuple):
    """A steady load of some length."""

    windows: list[Window]
    claims: list[Quantiles]
    """Milliseconds that claims took, in the first and the last ten seconds."""


def steady(ours: Ours, seconds: float, a_second: float, threads: int) -> Steady:
    """Enqueue and run at a steady rate while another connection holds a snapshot, all autovacuum at its defaults."""
    ours.claims.unlink(missing_ok=True)
    with ours.executor(threads, BENCH_CLAIMS=str(ours.claims)), held(ours.database):
        windows = [Window(*w) for w in ours.driver.sustain(seconds, a_second)]
    ours.peer.clear()
    claims = list(CLAIM.iter_unpack(ours.claims.read_bytes()))
    start = claims[0][0]
    first = [took * 1000 for at, took in claims if at < start + 10]
    last = [took * 1000 for at, took in claims if start + seconds - 10 <= at < start + seconds]
    return Steady(windows, [quantiles_of(first), quantiles_of(last)])


def bell(ours: Ours, *, producers: int = 8, executors: int = 4, seconds: float = 5.0, on: bool) -> float:
    """Calls a second that producers commit one by one, while executors run them, with the bell or without."""
    with ours.executor(4, executors, BENCH_LISTEN="1" if on else "0"):
        with multiprocessing.get_context("spawn").Pool(producers) as pool:
            pool.map(_produce, [4.0] * producers, chunksize=1)  # until all have got used to each other
            made = pool.map(_produce, [seconds] * producers, chunksize=1)
        while not ours.peer.is_settled():
            time.sleep(0.01)
    ours.peer.clear()
    return sum(made) / seconds


def _produce(seconds: float) -> int:
    django.setup()
    from benchmarks.project.tasks import note

    count, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        note.delay(0)
        count += 1
    return count


class Scaled(NamedTuple):
    """How tasks that wait were worked off by several processes."""

    rate: float
    cores: float
    """Processor cores in use by the executors' processes."""


def scaled(ours: Ours, processes: int, seconds: float, threads: int = 32, milliseconds: int = 5) -> Scaled:
    """A backlog of tasks that wait for something outside, by so many processes."""
    from benchmarks.project.tasks import wait

    count = int(processes * threads * seconds * 1000 / milliseconds)
    marks = Marks(os.environ["BENCH_MARKS"], count)
    for start in range(0, count, CHUNK):
        wait.delay_many([(i, milliseconds / 1000) for i in range(start, min(start + CHUNK, count))])
    ours.settle_down()
    with ours.executor(threads, processes) as supervisor:
        workers = children(supervisor)
        before = sum(map(cpu, workers))
        while not marks.are_complete:
            time.sleep(0.01)
        used = sum(map(cpu, workers)) - before
    starts = sorted(marks.all())
    ours.peer.clear()
    # All processes are at work between a tenth and nine tenths of the tasks.
    first, last = starts[count // 10], starts[count * 9 // 10]
    return Scaled(0.8 * count / ((last - first) / 1e9), used / ((starts[-1] - starts[0]) / 1e9))
