"""Tasks that go wrong in every way, among others that do not."""

import re
import time

from chaos import small_memory
from chaos.arena import Arena
from chaos.ledger import Kind
from chaos.scenario import Scenario

__all__ = ["SCENARIOS"]

MISDEEDS = (
    "raises SystemExit",
    "raises KeyboardInterrupt",
    "raises GeneratorExit",
    "raises what can not be pickled, read or compared",
    "leaves a transaction open",
    "breaks its transaction",
    "closes its connection",
    "runs out of memory",
)
DEATHS = ("os._exit(0)", "os._exit(1)", "segmentation fault", "abort", "SIGKILL")
"""Names in chaos.project.tasks, which needs a project to be imported."""


def wait(arena: Arena) -> None:
    """Nothing is done from outside."""
    time.sleep(20)


def wait_for_kills(arena: Arena) -> None:
    """Nothing is done from outside; the kernel must have done it."""
    time.sleep(20)
    logs = [executor.log.read_text() for executor in arena.executors]
    if not any("died (SIGKILL)" in text for text in logs):
        arena.troubles.append("the kernel has killed nobody")


STUCK = 14.0
"""Seconds in C code with Python's lock: longer than a lease."""
REPORT = re.compile(r"has not claimed or settled for a while; it runs .*\bchaos\.project\.tasks\.sticks\b")
WHERE = "in sticks"


def stick(arena: Arena) -> None:
    """A task holds Python's lock in C code for 14 s. It is reported with its stack, and runs once."""
    from chaos.project import tasks

    number = 900_000_001
    arena.ledger.note(Kind.ASKED, number, {"kind": "sticks"})
    tasks.sticks.using(priority=9).delay(number, STUCK)
    arena.ledger.note(Kind.ACKNOWLEDGED, number)
    time.sleep(STUCK + 3)
    logs = [executor.log.read_text() for executor in arena.executors]
    if not any(REPORT.search(text) and WHERE in text for text in logs):
        arena.troubles.append("nobody has reported the call that is stuck, with its stack")


SCENARIOS = (
    Scenario(
        name="tasks-misbehave",
        about="Tasks that raise SystemExit, KeyboardInterrupt, GeneratorExit and what can not be pickled, "
        "read or compared, leave transactions open or broken, close connections, run out of memory.",
        inject=wait,
        evils=MISDEEDS,
    ),
    Scenario(
        name="tasks-kill",
        about="Tasks that end their process: os._exit, a segmentation fault, abort, SIGKILL.",
        inject=wait,
        evils=DEATHS,
        recovers_within=15,
    ),
    Scenario(
        name="memory-used-up",
        about="Tasks that eat memory until the kernel kills their process (in a control group of 100 MB).",
        inject=wait_for_kills,
        evils=["eats memory until the kernel kills it"] * 5,
        hindrance=small_memory.hindrance,
        world=small_memory.world,
        recovers_within=15,
    ),
    Scenario(name="task-stuck", about=" ".join((stick.__doc__ or "").split()), inject=stick),
)
