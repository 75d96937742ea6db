"""One trial: a scenario on a server, from the first process to the verdict."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from chaos import aftermath
from chaos.arena import Arena
from chaos.checker import Verdict, judge
from chaos.history import history
from chaos.ledger import Entry, Kind, read
from chaos.outcome import Outcome
from chaos.processes import Executor
from chaos.scenario import Scenario
from chaos.server import OwnServer

__all__ = ["try_out"]

WARM_UP = 2.0
"""Seconds of load before the fault."""
COOL_DOWN = 3.0
"""Seconds of load after it."""
STARTED = 0.7
"""Seconds in which an executor starts on a machine that does nothing else. Where it takes longer, recovery may, too."""
QUIET_LIMIT = 90.0
"""Seconds in which everything must be done at the end."""


def try_out(scenario: Scenario, server: OwnServer, folder: Path, seed: str) -> Outcome:
    """Try a scenario on a server that is up."""
    began = time.monotonic()
    aftermath.clear()
    folder.chmod(0o777)
    with scenario.world(server) as told:
        arena = Arena(server, folder, seed, dict(told))
        try:
            slowness = _act(scenario, arena)
        finally:
            arena.kill_all()
    entries = read(folder)
    verdict = _judged(scenario, entries, slowness)
    verdict.broken["an executor went its own way"] = arena.troubles
    return Outcome(
        scenario,
        calls=sum(entry.kind is Kind.ACKNOWLEDGED for entry in entries),
        faults=sum(entry.kind is Kind.FAULT for entry in entries),
        verdict=verdict,
        outage=_outage(entries),
        seconds=time.monotonic() - began,
    )


def _act(scenario: Scenario, arena: Arena) -> float:
    """Play it; how many times as long as usual an executor took to start."""
    began = time.monotonic()
    for _ in range(scenario.executors):
        arena.start_executor()
    slowness = max(1.0, (time.monotonic() - began) / scenario.executors / STARTED)
    arena.start_actors(scenario.evils)
    arena.wait_until_busy()
    arena.pause(WARM_UP)
    scenario.inject(arena)
    arena.pause(COOL_DOWN)
    arena.let_producers_end()
    aftermath.wait_until_quiet(QUIET_LIMIT)
    arena.let_takers_end()
    for executor in arena.executors:
        arena.troubles += _end_of(executor)
    return slowness


def _end_of(executor: Executor) -> Iterator[str]:
    """What is wrong with the end of an executor."""
    name = executor.log.name
    if not executor.is_alive:
        yield f"{name} ended with {executor.process.returncode}"
        return
    try:
        code = executor.stop()
    except subprocess.TimeoutExpired:
        yield f"{name} did not end"
    else:
        if code:
            yield f"{name} was told to end, and ended with {code}"


def _judged(scenario: Scenario, entries: Sequence[Entry], slowness: float) -> Verdict:
    verdict = judge(history(entries), aftermath.effects(), aftermath.left(), aftermath.counted())
    if scenario.loses_results:
        verdict.excused["no result"] = verdict.broken.pop("no result")
    limit = (scenario.recovers_within or float("inf")) * slowness
    if verdict.recovery and max(verdict.recovery) > limit:
        verdict.broken["recovery took too long"] = [f"{max(verdict.recovery):.1f} s, not {limit:.0f}"]
    return verdict


def _outage(entries: Sequence[Entry]) -> float:
    moments = [entry.moment for entry in entries if entry.kind is Kind.ACKNOWLEDGED]
    return max((later - sooner for sooner, later in pairwise(moments)), default=0.0)
