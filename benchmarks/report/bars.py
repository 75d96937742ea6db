"""Our figures, and what they have to reach: beside bare SQL, beside other systems, or by themselves."""

from collections.abc import Iterator, Sequence
from statistics import median
from typing import NamedTuple

from benchmarks.report.figures import Samples, best_threads, number, spread
from benchmarks.report.systems import REDIS, Row
from benchmarks.suite import Bar, bars

__all__ = ["table"]

BEST = "tasks/s, best"
DJANGO = ("dj_queue", "django_ox", "django_tasks_db", "django_q2")
HEAD = ["| test | figure | median (range) | of | ratio | bar |", "| --- | --- | ---: | --- | ---: | --- |"]


class Rival(NamedTuple):
    """What a figure of ours is held against: the best that a system has in any configuration."""

    test: str
    figure: str
    theirs: str
    """The name of the figure among the others'."""
    systems: tuple[str, ...]
    """Empty: every one on PostgreSQL, of which the best counts."""
    least: float | None
    most: float | None = None


RIVALS = (
    Rival("1", BEST, "rate", (), 2.5),
    Rival("1", BEST, "rate", DJANGO, 20),
    Rival("1", BEST, "rate", REDIS, 8),
    Rival("4", "ms p50", "p50", ("celery",), None, 1),
    Rival("4", "ms p99", "p99", ("celery",), None, 1),
    Rival("5", "ms p50", "p50", ("celery",), None, 1),
)


def table(samples: Samples, rows: Sequence[Row]) -> list[str]:
    """The figures with their bars, as Markdown."""
    samples = _with_best(samples)
    lines = []
    for key in sorted(samples, key=lambda key: (int(key[0]), key[1])):
        lines += list(_own(key, samples)) + [_against(rival, row, samples) for rival, row in _met(key, rows)]
    return HEAD + lines


def _with_best(samples: Samples) -> Samples:
    best = best_threads(samples)
    return samples | {("1", BEST): samples["1", best]} if best else samples


def _own(key: tuple[str, str], samples: Samples) -> Iterator[str]:
    test, name = key
    held = [bar for bar in bars() if (bar.test, bar.figure) == key and _is_known(bar, samples)]
    for bar in held:
        of = median(samples[test, bar.against]) if bar.against else 1.0
        yield _line(bar, samples[key], bar.against, median(samples[key]) / of)
    if not held:
        yield f"| {test} | {name} | {spread(samples[key])} | | | |"


def _is_known(bar: Bar, samples: Samples) -> bool:
    return not bar.against or (bar.test, bar.against) in samples


def _met(key: tuple[str, str], rows: Sequence[Row]) -> Iterator[tuple[Rival, Row]]:
    """The bars of a figure against others, with the row that has the best of theirs."""
    for rival in RIVALS:
        if (rival.test, rival.figure) == key:
            for group in _groups(rival, rows):
                if measured := [row for row in group if row.median(rival.test, rival.theirs)]:
                    yield rival, _best(rival, measured)


def _groups(rival: Rival, rows: Sequence[Row]) -> list[list[Row]]:
    if not rival.systems:
        return [[row for row in rows if not row.is_ours and row.system not in REDIS]]
    return [[row for row in rows if row.system == name] for name in rival.systems]


def _best(rival: Rival, rows: list[Row]) -> Row:
    most = max if rival.most is None else min
    return most(rows, key=lambda row: row.median(rival.test, rival.theirs) or 0.0)


def _against(rival: Rival, row: Row, samples: Samples) -> str:
    of = f"{row.name}, {row.config}: {spread(row.all(rival.test, rival.theirs))}"
    values = samples[rival.test, rival.figure]
    return _line(rival, values, of, median(values) / (row.median(rival.test, rival.theirs) or 1.0))


def _line(held: Bar | Rival, values: list[float], of: str, ratio: float) -> str:
    good = (held.least is None or ratio >= held.least) and (held.most is None or ratio <= held.most)
    limit = f"≥ {held.least:g}" if held.least is not None else f"≤ {held.most:g}"
    shown = f"{number(ratio)} | {'' if good else '✗ '}{limit}"
    return f"| {held.test} | {held.figure} | {spread(values)} | {of} | {shown} |"
