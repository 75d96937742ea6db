"""What a run says while it goes on."""

from collections import defaultdict
from collections.abc import Iterable
from statistics import mean

from benchmarks.journal import Line, Step

__all__ = ["Progress", "span"]

GUESS = 30.0
"""Seconds of a test before any was measured."""


class Progress:
    """Says how far a run is.

    Args:
        rounds: how many there are.
    """

    def __init__(self, rounds: int) -> None:
        self._rounds = rounds
        self._taken: defaultdict[str, list[float]] = defaultdict(list)

    def after(self, step: Step, seconds: float, line: Line, left: Iterable[Step]) -> str:
        """The line for a step that was measured."""
        self._taken[step.test].append(seconds)
        failed = f", failed: {' '.join(line['failed'].split())[-150:]}" if "failed" in line else ""
        place = f"round {step.round}/{self._rounds}, {step}: {seconds:.1f} s{failed}"
        rest = sum(map(self._expected, left))
        return f"{place}; about {span(rest)} left" if rest else place

    def _expected(self, step: Step) -> float:
        return mean(self._taken.get(step.test) or [GUESS])


def span(seconds: float) -> str:
    """A time, roughly."""
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
