"""The rounds of other systems: each test of each configuration, with a sample of bare SQL in the same minutes."""

import contextlib
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from benchmarks import ceiling
from benchmarks.driver import Backlog, Quantiles, Window
from benchmarks.peers.__main__ import load
from benchmarks.peers.peer import Place
from benchmarks.places import redis
from benchmarks.remote import PeerFailed, Remote, spent
from benchmarks.server import Database, database

__all__ = ["NAMES", "TESTS", "round_of"]

NAMES = tuple(
    path.stem
    for path in sorted((Path(__file__).parent / "peers").glob("*.py"))
    if path.stem not in {"__init__", "__main__", "peer"}
)
BACKLOG = 100_000
LIMIT = 10.0
"""Seconds that a backlog is worked on at most."""

Figures = dict[str, Any]


def round_of(name: str, config: str, tests: set[str], quick: bool) -> Iterator[Figures]:
    """One round of one system: a line of figures for each test, or one that says why there is none."""
    about = {"system": name, "config": config}
    try:
        with _place(name) as (fresh, place), tempfile.TemporaryDirectory(dir=_shared_memory()) as folder:
            with Remote(name, config, place, Path(folder) / "marks", Path(folder) / "log") as remote:
                about["versions"] = remote.versions
                for test, measure in TESTS.items():
                    if test in tests:
                        yield about | {"test": test} | _measured(measure, remote, fresh, quick)
    except Exception as error:  # noqa: BLE001 - a system that does not install or run is reported as such
        said = getattr(error, "stderr", None) or str(error)
        yield about | {"test": "", "failed": said.strip()[-500:]}


def _measured(measure: "Measure", remote: Remote, fresh: Database, quick: bool) -> Figures:
    started = time.time()
    try:
        return measure(remote, fresh, quick) | {"at": started}
    except PeerFailed as error:
        return {"failed": str(error), "at": started}


def _shared_memory() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@contextlib.contextmanager
def _place(name: str) -> Iterator[tuple[Database, Place]]:
    with contextlib.ExitStack() as stack:
        fresh = stack.enter_context(database("tpq_bench_peer"))
        url = stack.enter_context(redis()) if load(name).needs_redis else ""
        yield fresh, Place(fresh.dsn, fresh.url, url)


def drain(remote: Remote, fresh: Database, quick: bool) -> Figures:
    """A backlog of no-op tasks, and the worker as its configuration says."""
    count = remote.peer.backlog.get(remote.config, BACKLOG)
    if quick:
        count = min(count, 2_000)
    bare = ceiling.claim_hundreds(fresh, 30_000)
    remote.do("fill", count)
    with fresh.connect() as connection:
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
    before = fresh.cost()
    with remote.worker() as pid:
        remote.do("first")
        before_work = spent(pid)
        backlog = Backlog(*remote.do("drained", LIMIT))
        used = spent(pid) - before_work
    after = fresh.cost()
    remote.do("clear")
    return {
        "rate": backlog.started / backlog.seconds,
        "started": backlog.started,
        "of": count,
        "bare": bare,
        "cpu": used / backlog.started * 1000,
        "wal": (after.wal - before.wal) / backlog.started,
        "commits": (after.commits - before.commits) / backlog.started,
    }


def producers(remote: Remote, fresh: Database, quick: bool) -> Figures:
    """Calls one by one, and a thousand in one go."""
    return {
        "bare": ceiling.insert_singly(fresh),
        "singly": remote.do("singly"),
        "bare_many": ceiling.copy_thousands(fresh),
        "many": remote.do("many", 1000),
    }


def pick_up(remote: Remote, fresh: Database, quick: bool) -> Figures:
    """From before the call to the task's first line, at 20 tasks a second."""
    with remote.worker():
        found = Quantiles(*remote.do("pick_up", 40 if quick else 100, 20))
    remote.do("clear")
    return found._asdict()


def round_trips(remote: Remote, fresh: Database, quick: bool) -> Figures:
    """A call and its result, one after the other."""
    with remote.worker():
        found = Quantiles(*remote.do("round_trips", 50 if quick else 200))
    remote.do("clear")
    return found._asdict()


def held_snapshot(remote: Remote, fresh: Database, quick: bool) -> Figures:
    """A steady load of 70 % of what a backlog was worked off at, while another connection holds a snapshot."""
    remote.do("fill", 2_000 if quick else 20_000)
    with remote.worker():
        backlog = Backlog(*remote.do("drained", 5.0))
    remote.do("clear")
    rate = 0.7 * backlog.started / backlog.seconds
    with remote.worker(), held(fresh):
        windows = [Window(*w) for w in remote.do("sustain", 20 if quick else 120, rate)]
    remote.do("clear")
    first, last = windows[0], windows[-1]
    return {
        "asked": rate,
        "first": first.rate,
        "last": last.rate,
        "p99 first": first.p99,
        "p99 last": last.p99,
        "windows": windows,
    }


@contextlib.contextmanager
def held(fresh: Database) -> Iterator[None]:
    """A REPEATABLE READ snapshot of another connection, for the block: no row that dies meanwhile can go."""
    with fresh.connect(autocommit=False) as holder, fresh.connect() as watcher:
        holder.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        holder.execute("SELECT count(*) FROM pg_class")
        yield
        holds = "SELECT backend_xmin FROM pg_stat_activity WHERE pid = %s"
        row = watcher.execute(holds, [holder.info.backend_pid]).fetchone()
        assert row is not None
        assert row[0] is not None, "the snapshot was not held to the end"


Measure = Callable[[Remote, Database, bool], Figures]
TESTS: dict[str, Measure] = {
    "1": drain,
    "2": producers,
    "4": pick_up,
    "5": round_trips,
    "7": held_snapshot,
}
