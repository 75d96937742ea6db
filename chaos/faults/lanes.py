"""Faults of what runs calls beside threads, and of calls that nothing can interrupt."""

import signal
import time
from collections.abc import Callable, Sequence

from chaos.arena import Arena
from chaos.faults.executors import LONGER_THAN_A_LEASE
from chaos.processes import send
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]


def kill_workers(arena: Arena) -> None:
    """SIGKILL of a worker process (`executor="process"`), eight times; its executor lives on."""
    killed = 0
    while killed < 8:
        arena.pause(0.8, 1.6)
        if workers := arena.an_executor().workers:
            arena.kill_process(arena.random.choice(workers), "SIGKILL of a worker")
            killed += 1


def freeze_around_workers(arena: Arena) -> None:
    """SIGSTOP of an executor for longer than its lease, but not of its workers, twice: they run on, for nobody."""
    for executor in list(arena.executors):
        arena.pause(1, 2)
        frozen = [executor.process.pid, *executor.processes]
        with arena.fault("SIGSTOP of an executor around its workers", executor.pids):
            send(signal.SIGSTOP, frozen)
            time.sleep(LONGER_THAN_A_LEASE)
            send(signal.SIGCONT, frozen)
            arena.pause(1)


def freeze_workers(arena: Arena) -> None:
    """SIGSTOP of all workers of an executor for six seconds, twice: it waits for them, and nobody takes their calls."""
    for executor in list(arena.executors):
        arena.pause(2)
        workers = executor.workers
        send(signal.SIGSTOP, workers)
        time.sleep(6)
        send(signal.SIGCONT, workers)


TOO_LONG = (
    "oversleeps",
    "oversleeps in a process",
    "hangs in a process",
    "oversleeps in the event loop",
)
"""Names in chaos.project.features, which needs a project to be imported."""
REPLACED = "this process is replaced"


def wait_for_the_stuck(arena: Arena) -> None:
    """Calls beyond their timeout, also such as sit in C code in threads and workers: these are replaced, no other call
    suffers."""
    time.sleep(25)
    logs = [executor.log.read_text() for executor in arena.executors]
    if not any(REPLACED in text for text in logs):
        arena.troubles.append("no process was replaced because of a thread that is stuck")


def _scenario(
    name: str,
    inject: Callable[[Arena], None],
    *,
    evils: Sequence[str] = (),
    within: float | None = None,
    is_short: bool = False,
) -> Scenario:
    about = " ".join((inject.__doc__ or "").split())
    return Scenario(
        name=name, about=about, inject=inject, evils=evils, recovers_within=within, is_short=is_short
    )


SCENARIOS = (
    _scenario("workers-killed", kill_workers, within=15, is_short=True),
    _scenario("workers-frozen", freeze_workers),
    _scenario("executor-frozen-around-workers", freeze_around_workers),
    _scenario("threads-stuck", wait_for_the_stuck, evils=TOO_LONG),
)
