"""Faults of PostgreSQL: killed, restarted, hung, out of connections, of space, and of patience."""

import contextlib
import signal
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import psycopg

from chaos import small_disk
from chaos.arena import Arena
from chaos.scenario import Scenario
from chaos.server import OwnServer

__all__ = ["SCENARIOS"]

HUNG = 30.0
"""Seconds."""
CONNECTIONS = 60
"""The limit of the server that runs out of them."""


def _restart(arena: Arena, name: str, how: signal.Signals, away: float) -> None:
    for _ in range(3):
        arena.pause(2, 4)
        with arena.fault(name):
            arena.server.end(how)
            time.sleep(away)
            arena.server.start()
    arena.pause(3)


def kill(arena: Arena) -> None:
    """kill -9 of the postmaster, and a start a second later; three times."""
    _restart(arena, "SIGKILL of PostgreSQL", signal.SIGKILL, 1.0)


def restart(arena: Arena) -> None:
    """As `pg_ctl restart -m immediate`; three times."""
    _restart(arena, "immediate restart of PostgreSQL", signal.SIGQUIT, 0.0)


def terminate(arena: Arena) -> None:
    """pg_terminate_backend of a random connection twice a second."""
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 1"
    )
    with arena.server.connect() as watcher, arena.fault("pg_terminate_backend"):
        for _ in range(30):
            watcher.execute(query)
            time.sleep(0.5)


def hang(arena: Arena) -> None:
    """All processes of the server stand still for 30 s (SIGSTOP); new connections are not answered either."""
    arena.pause(1)
    with arena.fault("PostgreSQL hangs"):
        arena.server.freeze()
        time.sleep(HUNG)
        arena.server.thaw()
    arena.pause(10)


def use_up_connections(arena: Arena) -> None:
    """Somebody else takes every connection there is, for ten seconds."""
    others = "pg_backend_pid() <> pid AND backend_type = 'client backend'"
    with arena.fault("no connection left"), contextlib.ExitStack() as taken:
        watcher = taken.enter_context(arena.server.connect())
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(psycopg.OperationalError):
                taken.enter_context(arena.server.connect(application_name="greedy"))
                continue
            watcher.execute(
                f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                f"WHERE {others} AND application_name <> 'greedy' ORDER BY random() LIMIT 2"
            )
            time.sleep(0.05)
    arena.pause(3)


def lose_patience(arena: Arena) -> None:
    """Every session has a lock_timeout of 100 ms and a statement_timeout of 200; the tables are locked for 300."""
    with arena.server.connect() as owner:
        owner.execute("ALTER ROLE postgres SET lock_timeout = '100ms'")
        owner.execute("ALTER ROLE postgres SET statement_timeout = '200ms'")
        try:
            _reconnect_all(owner)
            for _ in range(12):
                with arena.fault("locks and timeouts"), owner.transaction():
                    owner.execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0")
                    table = arena.random.choice(["tpq_call", "tpq_result", "tpq_consumer", "project_taken"])
                    owner.execute(f"LOCK TABLE {table}")
                    time.sleep(0.3)
                arena.pause(0.5, 1)
        finally:
            owner.execute("ALTER ROLE postgres RESET lock_timeout")
            owner.execute("ALTER ROLE postgres RESET statement_timeout")
            with arena.fault("locks and timeouts"):
                _reconnect_all(owner)


def _reconnect_all(owner: psycopg.Connection[object]) -> None:
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


def fail_statements(arena: Arena) -> None:
    """One in twenty claims and acks fails: a serialisation error, a deadlock, or out of memory."""
    with arena.server.connect() as owner:
        owner.execute(FAILING)
        try:
            with arena.fault("statements fail"):
                time.sleep(12)
        finally:
            owner.execute("DROP FUNCTION chaos_fail CASCADE")


FAILING = """
CREATE OR REPLACE FUNCTION chaos_fail() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF random() < 0.05 THEN
        RAISE EXCEPTION 'injected' USING ERRCODE = (ARRAY['40001', '40P01', '53200'])[1 + floor(random() * 3)];
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_fail AFTER INSERT OR UPDATE OR DELETE ON tpq_call EXECUTE FUNCTION chaos_fail();
CREATE TRIGGER chaos_fail AFTER INSERT ON tpq_result EXECUTE FUNCTION chaos_fail();
CREATE TRIGGER chaos_fail AFTER UPDATE OR DELETE ON project_leased EXECUTE FUNCTION chaos_fail();
CREATE TRIGGER chaos_fail AFTER UPDATE ON tpq_consumer EXECUTE FUNCTION chaos_fail();
"""


def hold_the_horizon(arena: Arena) -> None:
    """A transaction that never ends holds an old snapshot, and autovacuum is off."""
    with arena.server.connect(autocommit=False) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT 1")
        time.sleep(15)


SIZE = 300
"""MB."""


def fill_the_disk(arena: Arena) -> None:
    """The server's disk is full for five seconds, twice. What it does then (PANIC too) is its own affair."""
    stuffing = arena.server.room / "stuffing"
    for _ in range(2):
        arena.pause(3)
        with arena.fault("disk full"):
            _stuff(stuffing)
            until = time.monotonic() + 5
            while time.monotonic() < until:
                _stuff(stuffing)
                time.sleep(0.2)
            stuffing.unlink()
            if arena.server.has_died:
                arena.server.start()
    if "No space left on device" not in (arena.server.room / "log").read_text():
        arena.troubles.append("the disk was never full")
    arena.pause(3)


def _stuff(file: Path) -> None:
    with contextlib.suppress(OSError), file.open("ab", buffering=0) as stuffing:
        while stuffing.write(bytes(1 << 16)):
            pass


@contextlib.contextmanager
def without_autovacuum(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """Autovacuum is off for the length of a trial."""
    with server.connect() as owner:
        owner.execute("ALTER SYSTEM SET autovacuum = off")
        owner.execute("SELECT pg_reload_conf()")
        try:
            yield {}
        finally:
            owner.execute("ALTER SYSTEM RESET autovacuum")
            owner.execute("SELECT pg_reload_conf()")


def _about(function: object) -> str:
    return " ".join((function.__doc__ or "").split())


SCENARIOS = (
    Scenario(name="postgresql-killed", about=_about(kill), inject=kill),
    Scenario(name="postgresql-restarted", about=_about(restart), inject=restart),
    Scenario(name="connections-terminated", about=_about(terminate), inject=terminate, is_short=True),
    Scenario(name="postgresql-hangs", about=_about(hang), inject=hang),
    Scenario(
        name="connections-used-up",
        about=_about(use_up_connections),
        inject=use_up_connections,
        options={"max_connections": str(CONNECTIONS)},
    ),
    Scenario(name="timeouts", about=_about(lose_patience), inject=lose_patience),
    Scenario(name="statements-fail", about=_about(fail_statements), inject=fail_statements),
    Scenario(
        name="horizon-held",
        about=_about(hold_the_horizon),
        inject=hold_the_horizon,
        world=without_autovacuum,
    ),
    Scenario(
        name="disk-full",
        about=_about(fill_the_disk),
        inject=fill_the_disk,
        hindrance=small_disk.hindrance,
        small_disk=SIZE,
    ),
)
