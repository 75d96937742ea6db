"""`python -m chaos.load SECONDS`: eight producers and four executors at full speed; does anything grow?"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import quantiles
from typing import Any, NamedTuple

from chaos import report
from chaos.arena import Arena
from chaos.ledger import Entry, Kind, read
from chaos.project_setup import use
from chaos.server import OwnServer, own_server

EVERY = 5.0
"""Seconds between looks."""
PRODUCERS, EXECUTORS = 8, 4
FIRST, LAST = (0.3, 0.5), (0.8, 1.0)
"""What is compared, in shares of the time. Before it, vacuum has to come by some times."""
RESULT_TTL = 20
"""Seconds that a result is kept: as many go as come, after the warm-up."""
TABLES = ("tpq_call", "tpq_result", "tpq_consumer", "tpq_tally")


class Look(NamedTuple):
    """What was there at a moment."""

    moment: float
    memory: float
    """MB of the executors' processes together, as each has it to itself (PSS)."""
    files: int
    """Open files of the executors' processes."""
    connections: int
    tables: float
    """MB."""
    indexes: float
    """MB."""
    consumers: int
    """Rows of consumers."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 1 if something has grown."""
    parser = argparse.ArgumentParser(prog="python -m chaos.load", description=__doc__)
    parser.add_argument("seconds", type=float, nargs="?", default=600, help="how long (default: 600)")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into this document")
    asked = parser.parse_args(arguments)
    with own_server(max_connections="100") as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        use(server)
        looks, entries = _run(server, Path(folder), asked.seconds)
    rows = list(_rows(looks, entries))
    lines = [
        "| | at 30 to 50 % of the time | at 80 to 100 % | limit |",
        "| --- | ---: | ---: | --- |",
        *map(str, rows),
    ]
    print(*lines, sep="\n")
    if asked.write:
        report.write(asked.write, lines, report.LOAD)
    return 0 if all(row.is_flat for row in rows) else 1


def _run(server: OwnServer, folder: Path, seconds: float) -> tuple[list[Look], list[Entry]]:
    folder.chmod(0o777)
    arena = Arena(server, folder, "load", {"CHAOS_RESULT_TTL": str(RESULT_TTL)})
    looks = []
    try:
        for _ in range(EXECUTORS):
            arena.start_executor("-t4")
        arena.start_actors(roles=["flood"] * PRODUCERS)
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(EVERY)
            looks.append(_look(arena))
            print(*(f"{name}={value:.1f}" for name, value in looks[-1]._asdict().items()), flush=True)
        arena.let_producers_end()
    finally:
        arena.kill_all()
    return looks, read(folder)


def _look(arena: Arena) -> Look:
    pids = [pid for executor in arena.executors for pid in executor.pids]
    with arena.server.connect() as watcher:
        query = (
            "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
            "(SELECT sum(pg_table_size(name::regclass)) FROM unnest(%(tables)s::text[]) AS name), "
            "(SELECT sum(pg_indexes_size(name::regclass)) FROM unnest(%(tables)s::text[]) AS name), "
            "(SELECT count(*) FROM tpq_consumer)"
        )
        row: Any = watcher.execute(query, {"tables": list(TABLES)}).fetchone()
    memory, files = sum(map(_memory, pids)), sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in pids)  # noqa: PTH208
    return Look(time.monotonic(), memory, files, row[0], float(row[1]) / 1e6, float(row[2]) / 1e6, row[3])


def _memory(pid: int) -> float:
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024


class Row(NamedTuple):
    """A figure at the begin and at the end."""

    name: str
    first: float
    last: float
    limit: float
    """How much the last may be of the first."""

    @property
    def is_flat(self) -> bool:
        """Whether it is."""
        return self.last <= self.limit * self.first

    def __str__(self) -> str:
        mark = "" if self.is_flat else "✗ "
        return f"| {self.name} | {self.first:,.1f} | {self.last:,.1f} | {mark}≤ {self.limit} times |"


def _rows(looks: Sequence[Look], entries: Sequence[Entry]) -> Iterator[Row]:
    begin, end = looks[0].moment, looks[-1].moment
    first, last = (tuple(begin + share * (end - begin) for share in span) for span in (FIRST, LAST))

    def most(span: tuple[float, ...], value: Callable[[Look], float]) -> float:
        return max(value(look) for look in looks if span[0] <= look.moment <= span[1])

    for name, limit, value in (
        ("memory of 4 executors (MB)", 1.1, lambda look: look.memory),
        ("open files", 1.05, lambda look: look.files),
        ("connections", 1.05, lambda look: look.connections),
        ("tables (MB)", 1.25, lambda look: look.tables),
        ("indexes (MB)", 1.25, lambda look: look.indexes),
        ("rows of consumers", 1.0, lambda look: look.consumers),
    ):
        yield Row(f"{name}, at most", most(first, value), most(last, value), limit)
    waits = dict(_waits(entries))
    for name, place, limit in (("from enqueue to start, p50 (ms)", 49, 1.3), ("p99 (ms)", 98, 1.5)):
        spans = [[w * 1000 for at, w in waits.items() if lo <= at <= hi] for lo, hi in (first, last)]
        yield Row(name, *(quantiles(span, n=100)[place] for span in spans), limit)
    rates = [sum(lo <= at <= hi for at in waits) / (hi - lo) * 50 for lo, hi in (first, last)]
    yield Row("seconds for 1,000,000 calls", *(1e6 / rate for rate in rates), 1.15)


def _waits(entries: Sequence[Entry]) -> Iterator[tuple[float, float]]:
    """When calls began, and how long after they were asked for."""
    asked: dict[int, float] = {}
    for entry in entries:
        if entry.kind is Kind.ASKED:
            asked[entry.number] = entry.moment
        elif entry.kind is Kind.STARTED:
            yield entry.moment, entry.moment - asked[entry.number]


if __name__ == "__main__":
    sys.exit(main())
