"""The tests, by the numbers of the table in docs/performance.md: each gives named figures of one round."""

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks import backlog, ceiling, load
from benchmarks.messages import Messages
from benchmarks.ours import Ours
from benchmarks.places import redis

__all__ = ["TESTS", "Bar", "Figures", "bars"]

Figures = dict[str, Any]

BARE = "bare: claim 100, delete by ids"


class Bar(NamedTuple):
    """What a figure is held against, in the same run."""

    test: str
    figure: str
    against: str
    """Another figure's name; empty: the limit is absolute."""
    least: float | None
    """The smallest ratio (or value) that is good enough."""
    most: float | None = None
    """The largest."""


def drain(o: Ours, quick: bool) -> Figures:
    """A backlog of no-op tasks, one executor process."""
    count = 30_000 if quick else 100_000
    figures: Figures = {BARE: ceiling.claim_hundreds(o.database, count)}
    for threads in (1, 16) if quick else (1, 2, 4, 8, 16):
        drained = o.drain(count, threads)
        figures[f"tasks/s, {threads} threads"] = drained.rate
        if threads == 1:
            figures |= {
                "WAL bytes a task": drained.wal,
                "commits a task": drained.commits,
                "CPU s per 1,000 tasks": drained.cpu,
                "CPU s per 1,000 tasks, supervisor": drained.supervisor_cpu,
            }
    figures["tasks/s, results in PostgreSQL"] = o.drain(count, 1, results=True).rate
    figures[f"{BARE}, after"] = ceiling.claim_hundreds(o.database, count)
    return figures


def producers(o: Ours, quick: bool) -> Figures:
    """`.delay()` and `delay_many`."""
    return {
        "bare: INSERT": ceiling.insert_singly(o.database),
        "delay()": o.driver.singly(),
        "bare: COPY of 1,000": ceiling.copy_thousands(o.database),
        "delay_many of 1,000": o.driver.many(1000),
    }


def messages(o: Ours, quick: bool) -> Figures:
    """The verbs of a queue model."""
    verbs = Messages(o)
    return {
        "bare: INSERT": ceiling.insert_singly(o.database),
        "enqueue()": verbs.enqueue(),
        "bare: INSERT of 1,000": ceiling.insert_thousands(o.database),
        "enqueue_many of 1,000": verbs.enqueue_many(),
        "bare: DELETE … RETURNING of 1": ceiling.take_singly(o.database),
        "dequeue()": verbs.dequeue(),
        "bare: DELETE … RETURNING of 500": ceiling.take_five_hundreds(o.database),
        "dequeue_many(500)": verbs.dequeue_many(),
    }


def pick_up(o: Ours, quick: bool) -> Figures:
    """From before the call to the task's first line, at 20 tasks a second."""
    with o.executor(8):
        p50, p99 = o.driver.pick_up(100 if quick else 400, 20)
    return {"ms p50": p50, "ms p99": p99}


def round_trips(o: Ours, quick: bool) -> Figures:
    """`.delay()` and `result(wait=0)`, one after the other, results in PostgreSQL and in a cache in Redis."""
    times = 200 if quick else 1000
    with o.executor(8):
        p50, p99 = o.driver.round_trips(times)
    with redis() as url, o.results_in(url), o.executor(8, BENCH_CACHE=url):
        cached = o.driver.round_trips(times)
    return {"ms p50": p50, "ms p99": p99, "cache: ms p50": cached.p50, "cache: ms p99": cached.p99}


def waiters(o: Ours, quick: bool) -> Figures:
    """A waiter on an empty queue."""
    times = 200 if quick else 1000
    return {
        "bare: ms p50": ceiling.pick_up(o.database, times),
        "dequeue(wait=0): ms p50": Messages(o).pick_up(times),
    }


def held_snapshot(o: Ours, quick: bool) -> Figures:
    """A steady load of 70 % of a backlog's rate, while another connection holds a snapshot."""
    rate = 0.7 * o.drain(30_000 if quick else 100_000, 1).rate
    steady = load.steady(o, 20 if quick else 120, rate, 1)
    first, last = steady.windows[0], steady.windows[-1]
    return {
        "tasks/s asked for": rate,
        "tasks/s, first 10 s": first.rate,
        "tasks/s, last 10 s": last.rate,
        "late by, ms p99, first 10 s": first.p99,
        "late by, ms p99, last 10 s": last.p99,
        "claim, ms p99, first 10 s": steady.claims[0].p99,
        "claim, ms p99, last 10 s": steady.claims[1].p99,
        "windows": steady.windows,
    }


def bell(o: Ours, quick: bool) -> Figures:
    """8 producers that commit single calls, 4 busy executors."""
    seconds = 2.0 if quick else 5.0
    return {
        "calls/s, no bell": load.bell(o, seconds=seconds, on=False),
        "calls/s, bell": load.bell(o, seconds=seconds, on=True),
    }


def deep(o: Ours, quick: bool) -> Figures:
    """20,000 tasks of a backlog of 30,000 (shallow), and of one of 2,000,000 (deep; in quick runs 500,000)."""
    flat, high = backlog.shallow(o, 1), backlog.deep(o, 500_000 if quick else 2_000_000, 1)
    return {
        "tasks/s, shallow backlog": flat.rate,
        "tasks/s, deep backlog": high.rate,
        "claim, ms p99, shallow backlog": flat.claim.p99,
        "claim, ms p99, deep backlog": high.claim.p99,
    }


def scaled(o: Ours, quick: bool) -> Figures:
    """Tasks of 5 ms I/O wait, 32 threads a process."""
    figures: Figures = {}
    for processes in (1, 2, 4):
        done = load.scaled(o, processes, 2 if quick else 5)
        figures[f"tasks/s, {processes} processes"] = done.rate
        figures[f"cores in use, {processes} processes"] = done.cores
    return figures


def memory(o: Ours, quick: bool) -> Figures:
    """What processes hold above a bare Django process, after 500,000 tasks (in quick runs 50,000)."""
    bare, count = o.bare_memory(), 50_000 if quick else 500_000
    first, many = o.drain(20_000, 1), o.drain(count, 1)
    return {
        "MB of a bare Django process": bare,
        "MB above it": many.memory - bare,
        "MB above it, supervisor": many.supervisor_memory - bare,
        "MB more after many tasks": many.memory - first.memory,
    }


TESTS: dict[str, Callable[[Ours, bool], Figures]] = {
    "1": drain,
    "2": producers,
    "3": messages,
    "4": pick_up,
    "5": round_trips,
    "6": waiters,
    "7": held_snapshot,
    "8": bell,
    "9": deep,
    "10": scaled,
    "11": memory,
}


def bars() -> list[Bar]:
    """What has to hold."""
    return [
        Bar("1", "tasks/s, best", BARE, 0.60),
        Bar("1", "tasks/s, 16 threads", "tasks/s, best", 0.60),
        Bar("1", "tasks/s, results in PostgreSQL", "tasks/s, best", 0.50),
        Bar("1", "WAL bytes a task", "", None, 1200),
        Bar("1", "commits a task", "", None, 0.05),
        Bar("1", "CPU s per 1,000 tasks", "", None, 0.025),
        Bar("2", "delay()", "bare: INSERT", 0.75),
        Bar("2", "delay_many of 1,000", "bare: COPY of 1,000", 0.40),
        Bar("3", "enqueue()", "bare: INSERT", 0.80),
        Bar("3", "enqueue_many of 1,000", "bare: INSERT of 1,000", 0.60),
        Bar("3", "dequeue()", "bare: DELETE … RETURNING of 1", 0.75),
        Bar("3", "dequeue_many(500)", "bare: DELETE … RETURNING of 500", 0.60),
        Bar("4", "ms p50", "", None, 2.0),
        Bar("4", "ms p99", "", None, 5.0),
        Bar("6", "dequeue(wait=0): ms p50", "bare: ms p50", None, 1.5),
        Bar("7", "tasks/s, last 10 s", "tasks/s, first 10 s", 0.90),
        Bar("7", "tasks/s, first 10 s", "tasks/s asked for", 0.95),
        Bar("7", "claim, ms p99, last 10 s", "claim, ms p99, first 10 s", None, 1.5),
        Bar("8", "calls/s, bell", "calls/s, no bell", 0.85),
        Bar("9", "tasks/s, deep backlog", "tasks/s, shallow backlog", 0.90),
        Bar("9", "claim, ms p99, deep backlog", "claim, ms p99, shallow backlog", None, 1.5),
        Bar("10", "tasks/s, 2 processes", "tasks/s, 1 processes", 1.70),
        Bar("10", "tasks/s, 4 processes", "tasks/s, 1 processes", 3.40),
        Bar("11", "MB above it", "", None, 30),
        Bar("11", "MB above it, supervisor", "", None, 15),
        Bar("11", "MB more after many tasks", "", None, 5),
    ]
