"""Faults of executors and of PostgreSQL at the same time, in an order that the seed gives."""

import random
import signal
import threading
import time
from collections.abc import Callable, Sequence

from chaos.arena import Arena
from chaos.processes import Executor
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]

SECONDS = 60.0
"""How long faults go on."""
AWAY = 9.0
"""Seconds of a frozen executor: others take it for dead."""
Fault = Callable[[Arena], None]


def _kill_a_process(arena: Arena) -> None:
    for pid in arena.an_executor().processes[:1]:
        arena.kill_process(pid)


def _kill_a_worker(arena: Arena) -> None:
    for pid in arena.an_executor().workers[:1]:
        arena.kill_process(pid, "SIGKILL of a worker")


def _kill_an_executor(arena: Arena) -> None:
    victim = arena.an_executor()
    with arena.fault("SIGKILL of an executor", victim.pids, deadly=True):
        victim.kill()
    _replace(arena, victim)


def _freeze_an_executor(arena: Arena) -> None:
    executor = arena.an_executor()
    with arena.fault("SIGSTOP of an executor", executor.pids):
        executor.send(signal.SIGSTOP)
        time.sleep(AWAY)
        executor.send(signal.SIGCONT)
        time.sleep(1)


def _deploy(arena: Arena) -> None:
    executor = arena.an_executor()
    executor.stop()  # with the database away it may end with another code than 0, and says so
    _replace(arena, executor)


def _replace(arena: Arena, executor: Executor) -> None:
    """One that can not start while the database is away is started again, as a service manager would."""
    arena.executors.remove(executor)
    while True:
        try:
            arena.start_executor()
        except RuntimeError:
            arena.executors.pop()
            time.sleep(0.5)
        else:
            return


def _restart(arena: Arena) -> None:
    with arena.fault("SIGKILL of PostgreSQL"):
        arena.server.end(signal.SIGKILL)
        time.sleep(0.5)
        arena.server.start()


def _terminate(arena: Arena) -> None:
    query = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT 2"
    )
    with arena.server.connect() as watcher, arena.fault("pg_terminate_backend"):
        for _ in range(6):
            watcher.execute(query)
            time.sleep(0.3)


def _hang(arena: Arena) -> None:
    with arena.fault("PostgreSQL hangs"):
        arena.server.freeze()
        time.sleep(3)
        arena.server.thaw()


EXECUTORS: Sequence[Fault] = (
    _kill_a_process,
    _kill_a_worker,
    _kill_an_executor,
    _freeze_an_executor,
    _deploy,
)
POSTGRESQL: Sequence[Fault] = (_restart, _terminate, _hang)


def mix(arena: Arena) -> None:
    """A minute of all of these at random, those of executors beside those of PostgreSQL."""
    troubles: list[BaseException] = []
    until = time.monotonic() + SECONDS
    threads = [
        threading.Thread(target=_go_on, args=(arena, faults, f"{arena.seed}/{index}", until, troubles))
        for index, faults in enumerate((EXECUTORS, POSTGRESQL))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if troubles:
        raise troubles[0]
    arena.pause(10)


def _go_on(
    arena: Arena, faults: Sequence[Fault], seed: str, until: float, troubles: list[BaseException]
) -> None:
    """Fault after fault: each of them once, then whichever comes."""
    chance = random.Random(seed)
    coming = chance.sample(faults, len(faults))
    try:
        while time.monotonic() < until:
            time.sleep(chance.uniform(0.5, 3))
            (coming.pop() if coming else chance.choice(faults))(arena)
    except BaseException as error:  # noqa: BLE001 - told by the thread that waits for us
        troubles.append(error)


SCENARIOS = (
    Scenario(
        name="mixed",
        about="A minute of kills, freezes and deploys of executors, and of kills, hangs and terminated connections of "
        "PostgreSQL, both at random at the same time.",
        inject=mix,
        executors=3,
    ),
)
