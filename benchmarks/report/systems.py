"""All systems in one shape, ours among them: a row for each configuration, with its values of all rounds."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.journal import Line
from benchmarks.report.figures import Samples, best_threads, samples

__all__ = ["OURS", "REDIS", "Row", "favourites", "rows", "shown"]

OURS = "django-tpq"
REDIS = ("celery", "dramatiq", "huey_redis")
"""Those on Redis; all others are on PostgreSQL."""
MANY_THREADS = "tasks/s, 16 threads"

OWN = {
    ("1", "bare"): ("bare: claim 100, delete by ids",),
    ("1", "cpu"): ("CPU s per 1,000 tasks", "CPU s per 1,000 tasks, supervisor"),
    ("1", "wal"): ("WAL bytes a task",),
    ("1", "commits"): ("commits a task",),
    ("2", "singly"): ("delay()",),
    ("2", "many"): ("delay_many of 1,000",),
    ("4", "p50"): ("ms p50",),
    ("4", "p99"): ("ms p99",),
    ("5", "p50"): ("ms p50",),
    ("5", "p99"): ("ms p99",),
    ("7", "first"): ("tasks/s, first 10 s",),
    ("7", "last"): ("tasks/s, last 10 s",),
}
"""What a figure of the others is called among ours; two are added."""
SERVERS = {"wal", "commits"}
"""What PostgreSQL has counted: nothing, where it is not asked."""
ABOUT = {"kind", "round", "test", "system", "config", "versions", "at"}


@dataclass(slots=True, kw_only=True, eq=False)
class Row:
    """One system in one configuration."""

    system: str
    config: str
    values: defaultdict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    """By test and figure, a value for each round."""
    windows: list[list[float]] = field(default_factory=list)
    """Tasks a second in each ten seconds under the held snapshot, for each round."""
    versions: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """How the system is called on paper."""
        return shown(self.system)

    @property
    def is_ours(self) -> bool:
        """Whether it is what all others are held against."""
        return self.system == OURS

    @property
    def rounds(self) -> int:
        """In how many rounds it was measured."""
        return max(map(len, self.values.values()), default=0)

    def all(self, test: str, name: str) -> list[float]:
        """The values of a figure; none if it was not measured."""
        return self.values.get((test, name), [])

    def median(self, test: str, name: str) -> float | None:
        """The median of a figure."""
        return median(self.all(test, name)) if self.all(test, name) else None

    @property
    def drained(self) -> float:
        """Tasks a second from a backlog; 0 if that was not measured."""
        return self.median("1", "rate") or 0.0


def rows(lines: Sequence[Line]) -> list[Row]:
    """Ours first, then the systems by the best of what they drain."""
    found: dict[tuple[str, str], Row] = {}
    for line in _in_one_shape(lines):
        key = line["system"], line["config"]
        _take(found.setdefault(key, Row(system=key[0], config=key[1])), line)
    best: defaultdict[str, float] = defaultdict(float)
    for row in found.values():
        best[row.system] = max(best[row.system], row.drained)
    return sorted(
        found.values(), key=lambda row: (not row.is_ours, -best[row.system], row.system, _place(row))
    )


def _place(row: Row) -> tuple[float, str]:
    return -row.drained, row.config


def shown(system: str) -> str:
    """A system's name as it is called on paper."""
    name = system.removesuffix("_redis").replace("_", "-")
    return f"{name} (Redis)" if system in REDIS else name


def favourites(found: Iterable[Row]) -> list[Row]:
    """Of each system the configuration that drains most."""
    first: dict[str, Row] = {}
    for row in found:
        first.setdefault(row.system, row)
    return list(first.values())


def _take(row: Row, line: Line) -> None:
    figures = {name: value for name, value in line.items() if name not in ABOUT}
    row.versions |= line.get("versions", {})
    if windows := figures.pop("windows", None):
        row.windows.append([window[0] for window in windows])
    if "rate" in figures and "bare" in figures:
        figures["of bare"] = figures["rate"] / figures["bare"]
    for name, value in figures.items():
        if row.system in REDIS and name in SERVERS:
            continue
        row.values[line["test"], name].append(value)


def _in_one_shape(lines: Sequence[Line]) -> Iterator[Line]:
    own = samples(lines)
    for line in lines:
        if line["kind"] == "peer" and "failed" not in line:
            yield line
        elif line["kind"] == "ours" and "failed" not in line:
            yield from _own(line, own)


def _own(line: Line, own: Samples) -> Iterator[Line]:
    figures, test = line["figures"], line["test"]
    best = best_threads(own) if test == "1" else None
    about = {"system": OURS, "test": test}
    first = {name: _sum(figures, of) for (at, name), of in OWN.items() if at == test}
    given = {name: value for name, value in first.items() if value is not None}
    if windows := figures.get("windows"):
        given["windows"] = windows
    if best in figures:
        given["rate"] = figures[best]
    if given:
        yield about | {"config": "best"} | given
    if MANY_THREADS in figures and best != MANY_THREADS:
        bare = {"bare": given["bare"]} if "bare" in given else {}
        yield about | {"config": "16 threads", "rate": figures[MANY_THREADS]} | bare


def _sum(figures: dict[str, float], names: tuple[str, ...]) -> float | None:
    return sum(figures[name] for name in names) if all(name in figures for name in names) else None
