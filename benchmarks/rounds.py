"""The order of a run: in each round, for each test, ours and then each system and configuration in turn."""

import sys
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from pathlib import Path

from benchmarks import contest, suite
from benchmarks.journal import Journal, Line, Step
from benchmarks.ours import Ours
from benchmarks.places import ROOT
from benchmarks.progress import Progress

__all__ = ["Measure", "Meter", "run", "steps"]

Measure = Callable[[Step], Sequence[Line]]


def steps(repeats: int, tests: Iterable[str], peers: Sequence[tuple[str, str]]) -> list[Step]:
    """All that is to be measured, in order."""
    found = []
    for test in [(number, test) for number in range(1, repeats + 1) for test in tests]:
        if test[1] in suite.TESTS:
            found.append(Step(*test))
        if test[1] in contest.TESTS:
            found += [Step(*test, *peer) for peer in peers]
    return found


class Meter:
    """Measures one step.

    Args:
        ours: ours on its database.
        quick: with fewer tasks.
    """

    def __init__(self, ours: Ours, *, quick: bool) -> None:
        self._ours, self._quick = ours, quick

    def __call__(self, step: Step) -> list[Line]:
        """The lines of a step: figures, or why there are none; what went wrong behind the figures comes last."""
        return list(map(_without_places, self._peer(step) if step.system else [self._own(step)]))

    def _own(self, step: Step) -> Line:
        line = {"kind": "ours", "round": step.round, "test": step.test, "at": time.time()}
        try:
            return line | {"figures": suite.TESTS[step.test](self._ours, self._quick)}
        except Exception as error:  # noqa: BLE001 - ours, too, may fail without stopping the rest
            return line | {"failed": f"{type(error).__name__}: {error}"}

    def _peer(self, step: Step) -> list[Line]:
        about = {"kind": "peer", "round": step.round}
        lines = contest.round_of(step.system, step.config, {step.test}, self._quick)
        return [about | line for line in lines]


def _without_places(line: Line) -> Line:
    if "failed" not in line:
        return line
    return line | {"failed": line["failed"].replace(f"{ROOT}/", "").replace(str(Path.home()), "~")}


def run(todo: Collection[Step], journal: Journal, measure: Measure) -> None:
    """Measure what the journal does not have. A system that does not start is left out for the round."""
    left = [step for step in todo if step not in journal.done]
    progress = Progress(max((step.round for step in todo), default=0))
    while left:
        step, *left = left
        started = time.monotonic()
        lines = measure(step)
        for line in lines:
            journal.add(line)
        if not lines[0]["test"]:
            left = [other for other in left if not _is_beside(other, step)]
        print(progress.after(step, time.monotonic() - started, lines[0], left), file=sys.stderr)


def _is_beside(other: Step, step: Step) -> bool:
    return (other.round, other.system, other.config) == (step.round, step.system, step.config)
