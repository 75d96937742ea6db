"""Figures of several rounds: medians with ranges, and how they are written."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from statistics import median

from benchmarks.journal import Line

__all__ = ["NOTHING", "Samples", "best_threads", "number", "samples", "spread"]

Samples = dict[tuple[str, str], list[float]]
"""The values of ours in all rounds, by test and figure."""

NOTHING = "—"


def samples(lines: Iterable[Line]) -> Samples:
    """What was measured of ours."""
    found: Samples = defaultdict(list)
    for line in lines:
        for name, value in line.get("figures", {}).items():
            if isinstance(value, int | float):
                found[line["test"], name].append(value)
    return dict(found)


def best_threads(found: Samples) -> str | None:
    """The drain figure of the thread count with the best median, by its name."""
    names = [name for test, name in found if test == "1" and _has_threads(name)]
    return max(names, key=lambda name: median(found["1", name]), default=None)


def _has_threads(name: str) -> bool:
    return name.startswith("tasks/s, ") and name.endswith(" threads")


def number(value: float) -> str:
    """Three digits, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(values: Sequence[float]) -> str:
    """The median, and the range if there is one to be seen."""
    if not values:
        return NOTHING
    least, most = number(min(values)), number(max(values))
    return number(median(values)) + (f" ({least} to {most})" if least != most else "")
