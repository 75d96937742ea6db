"""Faults of what stands around: a pooler, the result cache, a clock, another release."""

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from chaos.actors.names import NEW
from chaos.arena import Arena
from chaos.ports import free_port, wait_for
from chaos.scenario import Scenario
from chaos.server import OwnServer

__all__ = ["SCENARIOS"]


def needs(program: str) -> Callable[[], str | None]:
    """A hindrance: the program is not here."""
    return lambda: None if shutil.which(program) else f"there is no {program} here"


def unprivileged() -> dict[str, Any]:
    """As whom a server runs: never as root."""
    if os.geteuid():
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


# A pooler --------------------------------------------------------------------------------------------------

POOLER = """
[databases]
* = host={room} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = 12
max_client_conn = 500
server_login_retry = 1
query_wait_timeout = 20
logfile = {folder}/pgbouncer.log
pidfile = {folder}/pgbouncer.pid
"""


@contextlib.contextmanager
def pooled(server: OwnServer, listen: str) -> Iterator[Mapping[str, str]]:
    """PgBouncer in transaction mode in front of the server."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        (Path(folder) / "users").write_text('"postgres" ""\n')
        config = Path(folder) / "pgbouncer.ini"
        config.write_text(POOLER.format(room=server.room, port=port, folder=folder))
        process = subprocess.Popen(["pgbouncer", "-q", str(config)], **unprivileged())
        try:
            wait_for(port)
            yield {"CHAOS_HOST": "127.0.0.1", "CHAOS_PORT": str(port), "CHAOS_LISTEN": listen}
        finally:
            process.kill()
            process.wait()


@contextlib.contextmanager
def pooled_with_bell(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """The LISTEN connection goes directly to the server."""
    with pooled(server, f"host={server.room} user=postgres dbname=postgres") as told:
        yield told


@contextlib.contextmanager
def pooled_without_bell(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """Nobody listens."""
    with pooled(server, "none") as told:
        yield told


def restart_behind(arena: Arena) -> None:
    """PgBouncer in transaction mode; the server behind it is killed, an executor too."""
    arena.pause(4)
    with arena.fault("SIGKILL of PostgreSQL"):
        arena.server.end(signal.SIGKILL)
        arena.server.start()
    arena.pause(4)
    executor = arena.an_executor()
    (pid, *_) = executor.processes
    arena.kill_process(pid)
    arena.pause(4)


# The result cache ------------------------------------------------------------------------------------------


class Redis:
    """A Redis that can be ended and started again at its place."""

    def __init__(self) -> None:
        self.port = free_port()
        self.start()

    def start(self) -> None:
        """Start it, empty."""
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            "/tmp",
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **unprivileged())
        wait_for(self.port)

    def kill(self) -> None:
        """End it."""
        self.process.kill()
        self.process.wait()


redis: list[Redis] = []
"""The one of this trial."""


@contextlib.contextmanager
def with_cache(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """Results go to Redis."""
    redis[:] = [Redis()]
    try:
        yield {"CHAOS_CACHE": f"redis://127.0.0.1:{redis[0].port}/0"}
    finally:
        redis.pop().kill()


def spoil_the_cache(arena: Arena) -> None:
    """The result cache (Redis) stands still for four seconds, is flushed, is killed and comes back empty."""
    cache = redis[0]
    arena.pause(2)
    with arena.fault("the cache stands still"):
        cache.process.send_signal(signal.SIGSTOP)
        time.sleep(4)
        cache.process.send_signal(signal.SIGCONT)
    arena.pause(2)
    with arena.fault("the cache is flushed"), socket.create_connection(("127.0.0.1", cache.port)) as line:
        line.sendall(b"FLUSHALL\r\n")
        line.recv(16)
    arena.pause(2)
    with arena.fault("the cache is away"):
        cache.kill()
        time.sleep(3)
        cache.start()
    arena.pause(2)


# Clocks and releases ---------------------------------------------------------------------------------------


def set_a_clock_wrong(arena: Arena) -> None:
    """An executor whose clock is ten minutes ahead, and one whose clock is ten minutes behind, join and are killed."""
    for offset in ("600", "-600"):
        wrong = arena.start_executor(CHAOS_CLOCK=offset)
        arena.pause(5)
        with arena.fault("SIGKILL of an executor", wrong.pids, deadly=True):
            wrong.kill()
            arena.executors.remove(wrong)
    arena.pause(8)


def release_another(arena: Arena) -> None:
    """An executor of the release before, which does not know a task that producers call, works beside one that does."""
    arena.start_executor(CHAOS_RELEASE="1")
    time.sleep(12)


SCENARIOS = (
    Scenario(
        name="pgbouncer",
        about="PgBouncer in transaction mode, nobody listens; the server behind it is killed, and a process.",
        inject=restart_behind,
        hindrance=needs("pgbouncer"),
        world=pooled_without_bell,
        recovers_within=15,
    ),
    Scenario(
        name="pgbouncer-with-bell",
        about="The same with a LISTEN connection of its own.",
        inject=restart_behind,
        hindrance=needs("pgbouncer"),
        world=pooled_with_bell,
        recovers_within=15,
    ),
    Scenario(
        name="cache-spoilt",
        about=" ".join((spoil_the_cache.__doc__ or "").split()),
        inject=spoil_the_cache,
        hindrance=needs("redis-server"),
        world=with_cache,
        loses_results=True,
    ),
    Scenario(
        name="clock-wrong",
        about=" ".join((set_a_clock_wrong.__doc__ or "").split()),
        inject=set_a_clock_wrong,
        hindrance=lambda: None if find_spec("time_machine") else "time-machine is not installed",
        recovers_within=15,
    ),
    Scenario(
        name="two-releases",
        about=" ".join((release_another.__doc__ or "").split()),
        inject=release_another,
        executors=1,
        evils=[NEW],
    ),
)
