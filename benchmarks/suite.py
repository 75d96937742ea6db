"""The tests, by the numbers of the table in docs/performance.md: each gives named figures of one round."""

from collections.abc import Callable
from typing import NamedTuple

from benchmarks import ceiling
from benchmarks.ours import Ours

__all__ = ["TESTS", "Bar", "Figures", "bars"]

Figures = dict[str, float]


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
    figures = {"bare: claim 100, delete by ids": ceiling.claim_hundreds(o.database, count)}
    for threads in (1, 16) if quick else (1, 2, 4, 16):
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
    return figures


def producers(o: Ours, quick: bool) -> Figures:
    """`.delay()` and `delay_many`."""
    return {
        "bare: INSERT": ceiling.insert_singly(o.database),
        "delay()": o.delay_singly(),
        "bare: COPY of 1,000": ceiling.copy_thousands(o.database),
        "delay_many of 1,000": o.delay_many(),
    }


def messages(o: Ours, quick: bool) -> Figures:
    """The verbs of a queue model."""
    return {
        "bare: INSERT": ceiling.insert_singly(o.database),
        "enqueue()": o.enqueue(),
        "bare: INSERT of 1,000": ceiling.insert_thousands(o.database),
        "enqueue_many of 1,000": o.enqueue_many(),
        "bare: DELETE … RETURNING of 1": ceiling.take_singly(o.database),
        "dequeue()": o.dequeue(),
        "bare: DELETE … RETURNING of 500": ceiling.take_five_hundreds(o.database),
        "dequeue_many(500)": o.dequeue_many(),
    }


def pick_up(o: Ours, quick: bool) -> Figures:
    """From before the call to the task's first line, at 20 tasks a second."""
    p50, p99 = o.pick_up(100 if quick else 400)
    return {"ms p50": p50, "ms p99": p99}


def round_trips(o: Ours, quick: bool) -> Figures:
    """`.delay()` and `result(wait=0)`, one after the other, results in PostgreSQL."""
    p50, p99 = o.round_trips(200 if quick else 1000)
    return {"ms p50": p50, "ms p99": p99}


def waiters(o: Ours, quick: bool) -> Figures:
    """A waiter on an empty queue."""
    times = 200 if quick else 1000
    return {
        "bare: ms p50": ceiling.pick_up(o.database, times),
        "dequeue(wait=0): ms p50": o.pick_up_message(times),
    }


TESTS: dict[str, Callable[[Ours, bool], Figures]] = {
    "1": drain,
    "2": producers,
    "3": messages,
    "4": pick_up,
    "5": round_trips,
    "6": waiters,
}


def bars() -> list[Bar]:
    """What has to hold."""
    bare = "bare: claim 100, delete by ids"
    return [
        Bar("1", "tasks/s, best", bare, 0.60),
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
        Bar("5", "ms p50", "", None, 2.2),
        Bar("6", "dequeue(wait=0): ms p50", "bare: ms p50", None, 1.5),
    ]
