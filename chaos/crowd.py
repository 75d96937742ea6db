"""`python -m chaos.crowd`: calls that wait for a day far away, a million of them. Do they slow down the others, or what
falls due?

Two databases of one server, one of them crowded, an executor on each: they take turns, so that what else the machine
does is in both.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median, quantiles
from typing import Any, NamedTuple

from chaos import report
from chaos.arena import Arena
from chaos.ledger import Kind, Ledger, read
from chaos.project_setup import use
from chaos.server import OwnServer, own_server

EMPTY, CROWDED = "postgres", "crowded"
"""The databases."""
FIRST = 300
"""Calls of a round that is not counted: the executors warm up."""
SPAN = 1.0, 15.0
"""Seconds until the calls whose lateness is measured fall due."""
SLOWER, LATE = 0.9, 0.05
"""The bars: the share of the claims a second that has to be left, and seconds after a call's moment until it starts."""
CROWD = """
INSERT INTO tpq_call ({names}, due_at)
SELECT {names}, clock_timestamp() + interval '1 day' + number * interval '100 ms'
FROM tpq_call, generate_series(1, %s) AS number
"""
"""Copies of the one call that is there."""
NEXT = "SELECT FROM tpq_call WHERE state = 'ready' AND lane = 0 ORDER BY priority DESC, seq LIMIT 1"


class Findings(NamedTuple):
    """What was measured."""

    rates: dict[str, list[float]]
    """Calls claimed a second, of each round, by database."""
    late: dict[str, list[float]]
    """Seconds from a call's moment to its start, sorted, by database."""

    @property
    def share(self) -> float:
        """What the crowd leaves of the claims: the median of the rounds, each of which compares neighbours in time."""
        pairs = zip(self.rates[CROWDED], self.rates[EMPTY], strict=True)
        return median(crowded / empty for crowded, empty in pairs)

    @property
    def is_good(self) -> bool:
        """Whether both bars are met."""
        return self.share >= SLOWER and _percentile(self.late[CROWDED], 95) <= LATE


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(prog="python -m chaos.crowd", description=__doc__)
    add = parser.add_argument
    add("waiting", type=int, nargs="?", default=1_000_000, help="calls that wait (default: 1,000,000)")
    add("--rounds", type=int, default=9, help="turns of each database (default: 9)")
    add("--calls", type=int, default=20_000, help="calls of a turn (default: 20,000)")
    add("--late", type=int, default=400, help="calls whose lateness is measured (default: 400)")
    add("--write", type=Path, metavar="FILE", help="put the table into this document")
    asked = parser.parse_args(arguments)
    with own_server(max_connections="50") as server, tempfile.TemporaryDirectory() as folder:
        server.start()
        use(server)
        _crowd(server, asked.waiting)
        found = _measure(server, Path(folder), asked.rounds, asked.calls, asked.late)
    lines = list(_table(found, asked.waiting))
    print(*lines, sep="\n")
    if asked.write:
        report.write(asked.write, lines, report.CROWD)
    return 0 if found.is_good else 1


def _crowd(server: OwnServer, waiting: int) -> None:
    """Make the second database, and fill it."""
    from chaos.project import tasks

    _go_to(None)
    with server.connect(dbname="template1") as owner:
        owner.execute(f"CREATE DATABASE {CROWDED} TEMPLATE {EMPTY}")
    _go_to(CROWDED)
    tasks.nothing.using(delay=86_400).delay()
    with server.connect(dbname=CROWDED) as owner:
        query = (
            "SELECT string_agg(quote_ident(attname), ', ') FROM pg_attribute WHERE attrelid = 'tpq_call'::regclass "
            "AND attnum > 0 AND NOT attisdropped AND attname NOT IN ('id', 'seq', 'due_at')"
        )
        names = owner.execute(query).fetchone()[0]  # type: ignore[index]
        owner.execute(CROWD.format(names=names), [waiting])


def _go_to(database: str | None) -> None:
    from django.db import connection

    connection.close()
    if database:
        connection.settings_dict["NAME"] = database


def _measure(server: OwnServer, folder: Path, rounds: int, calls: int, late: int) -> Findings:
    arenas = {name: _arena(server, folder / name, name) for name in (EMPTY, CROWDED)}
    try:
        for arena in arenas.values():
            arena.start_executor()
        for name in arenas:
            _drain(name, FIRST)
        rates: dict[str, list[float]] = {name: [] for name in arenas}
        for turn in range(rounds):
            for name in sorted(arenas, reverse=bool(turn % 2)):
                rates[name].append(_drain(name, calls))
            print(*(f"{name}: {all_of[-1]:,.0f}/s" for name, all_of in rates.items()), flush=True)
        for name, arena in arenas.items():
            _schedule(name, arena.ledger, late)
        time.sleep(SPAN[1] + 3)
    finally:
        for arena in arenas.values():
            arena.kill_all()
    return Findings(rates, {name: _lateness(folder / name) for name in arenas})


def _arena(server: OwnServer, folder: Path, database: str) -> Arena:
    folder.mkdir()
    return Arena(server, folder, "crowd", {"CHAOS_DATABASE": database})


def _drain(database: str, calls: int) -> float:
    """Commit so many calls at once; how many were claimed a second."""
    from django.db import transaction

    from chaos.project import tasks

    _go_to(database)
    with transaction.atomic():
        tasks.nothing.delay_many([()] * calls)
    began = time.monotonic()
    while _is_one_ready():
        time.sleep(0.01)
    return calls / (time.monotonic() - began)


def _is_one_ready() -> bool:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(NEXT)
        return cursor.fetchone() is not None


def _schedule(database: str, ledger: Ledger, calls: int) -> None:
    """Make calls for later; noted is the moment from which on each is due, or a little before it."""
    from chaos.project import tasks

    _go_to(database)
    begin, end = SPAN
    for number in range(1, calls + 1):
        delay = begin + (end - begin) * (number * 0.618034 % 1)
        ledger.note(Kind.ASKED, number, {"kind": "work"}, time.monotonic() + delay)
        tasks.work.using(delay=delay).delay(number)


def _lateness(folder: Path) -> list[float]:
    due: dict[int, float] = {}
    started: dict[int, float] = {}
    for entry in read(folder):
        if entry.kind is Kind.ASKED:
            due[entry.number] = entry.moment
        elif entry.kind is Kind.STARTED:
            started[entry.number] = entry.moment
    return sorted(started.get(number, float("inf")) - moment for number, moment in due.items())


def _percentile(values: Sequence[float], percent: int) -> float:
    return quantiles(values, n=100)[percent - 1]


def _table(found: Findings, waiting: int) -> Iterator[str]:
    yield f"| {os.cpu_count()} cores | no other call waits | {waiting:,} wait | bar |"
    yield "| --- | ---: | ---: | --- |"
    rates = [median(found.rates[name]) for name in (EMPTY, CROWDED)]
    mark = "" if found.share >= SLOWER else "✗ "
    yield f"| calls claimed a second, median of {len(found.rates[EMPTY])} turns | {rates[0]:,.0f} | {rates[1]:,.0f} | |"
    yield f"| the share that is left, median of neighbours | | {found.share:.0%} | {mark}≥ {SLOWER:.0%} |"
    figures: dict[str, Callable[[Any], float]] = {
        "median": median,
        "p95": lambda values: _percentile(values, 95),
        "max": max,
    }
    for name, figure in figures.items():
        empty, crowded = (figure(found.late[where]) * 1000 for where in (EMPTY, CROWDED))
        bar = f"{'' if crowded <= LATE * 1000 else '✗ '}≤ {LATE * 1000:.0f} ms" if name == "p95" else ""
        yield f"| from a call's moment to its start, {name} (ms) | {empty:.1f} | {crowded:.1f} | {bar} |"


if __name__ == "__main__":
    sys.exit(main())
