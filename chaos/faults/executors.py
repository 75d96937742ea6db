"""Faults of executors: killed, frozen, replaced."""

import signal
import time
from collections.abc import Callable

from chaos.arena import Arena
from chaos.processes import Executor
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]

LONGER_THAN_A_LEASE = 12.0
"""Seconds: others take a consumer for dead after 8."""


def kill_processes(arena: Arena) -> None:
    """SIGKILL of a process that runs calls, five times."""
    for _ in range(5):
        arena.pause(1.5, 3)
        processes = arena.an_executor().processes
        if not processes:  # its last one has just been killed
            continue
        arena.kill_process(arena.random.choice(processes))


def kill_supervisors(arena: Arena) -> None:
    """SIGKILL of the supervisor only; its processes end by themselves."""
    for _ in range(2):
        arena.pause(2, 4)
        executor = arena.an_executor()
        with arena.fault("SIGKILL of a supervisor", executor.pids):
            executor.process.kill()
            executor.process.wait()
            arena.executors.remove(executor)
            arena.start_executor()
    arena.pause(8)


def _kill(arena: Arena, name: str, victims: list[Executor]) -> None:
    pids = [pid for executor in victims for pid in executor.pids]
    with arena.fault(name, pids, deadly=True):
        for executor in victims:
            executor.kill()
            arena.executors.remove(executor)
    for _ in victims:
        arena.start_executor()


def kill_an_executor(arena: Arena) -> None:
    """SIGKILL of a supervisor and its processes; another one is started."""
    for _ in range(3):
        arena.pause(2, 4)
        _kill(arena, "SIGKILL of an executor", [arena.an_executor()])
    arena.pause(8)


def kill_all_executors(arena: Arena) -> None:
    """The same for all of them."""
    for _ in range(2):
        arena.pause(2, 4)
        _kill(arena, "SIGKILL of every executor", list(arena.executors))
        arena.pause(10)


def freeze_an_executor(arena: Arena) -> None:
    """SIGSTOP for longer than its lease, then SIGCONT: it comes back late, twice."""
    for executor in list(arena.executors):
        arena.pause(1, 2)
        with arena.fault("SIGSTOP of an executor", executor.pids):
            executor.send(signal.SIGSTOP)
            time.sleep(LONGER_THAN_A_LEASE)
            executor.send(signal.SIGCONT)
            arena.pause(1)


def roll(arena: Arena) -> None:
    """A deploy every two seconds: SIGTERM, and another one is started."""
    for _ in range(7):
        began = time.monotonic()
        executor = arena.executors.pop(0)
        if code := executor.stop():
            arena.troubles.append(f"{executor.log.name} was told to end, and ended with {code}")
        arena.start_executor()
        time.sleep(max(0.0, 2.0 - (time.monotonic() - began)))


def _scenario(
    name: str, inject: Callable[[Arena], None], within: float | None = None, *, is_short: bool = False
) -> Scenario:
    about = " ".join((inject.__doc__ or "").split())
    return Scenario(name=name, about=about, inject=inject, recovers_within=within, is_short=is_short)


SCENARIOS = (
    _scenario("process-killed", kill_processes, within=3, is_short=True),
    _scenario("executor-killed", kill_an_executor, within=15),
    _scenario("every-executor-killed", kill_all_executors, within=15),
    _scenario("supervisor-killed", kill_supervisors, within=15),
    _scenario("executor-frozen", freeze_an_executor),
    _scenario("deploys", roll),
)
