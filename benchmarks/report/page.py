"""The page `index.md` of a report."""

from collections.abc import Sequence
from typing import NamedTuple

from benchmarks.contest import LIMIT
from benchmarks.journal import Line
from benchmarks.report import bars, failures, setting
from benchmarks.report.figures import NOTHING, best_threads, number, samples, spread
from benchmarks.report.systems import Row

__all__ = ["systems", "text"]

METHOD = """\
One PostgreSQL for all, on the machine that everything else runs on, too. In each round each test is run with
django-tpq and then with every other system in each of its configurations, so that they are measured within the same
minutes; {rounds}. Each system has a virtual environment and a database (or a Redis) of its own, `best` is
what its documents recommend for many small tasks, `default` what they start first (both are below). PostgreSQL waits
for its disk at each commit; Redis, as it comes, does not. What is shown is the median, with the range in brackets.
The figures are in [figures.jsonl](figures.jsonl).

- **drained**: tasks a second from a backlog of no-op tasks that note their start in shared memory, from the first
  start to the last that is settled, for {limit:g} seconds at most. *ours, times* is what django-tpq does beside it.
- **of bare**: beside the bare statements that claim 100 rows and delete them by their ids on one client, measured
  right before. **CPU s**: of all processes of the worker, per 1,000 tasks, from the first start on. **WAL** bytes and
  **commits**: as PostgreSQL counts them, a task.
- **one by one**, **in bulk**: tasks enqueued a second, each committed alone, or 1,000 in one go.
- **pick-up**: ms from before the call to the task's first line, 20 calls a second, an idle worker.
- **round trip**: ms from before the call to its result, one after the other.
- **snapshot**: tasks a second at a steady load of 70 % of what is drained, in the first ten seconds and in the last
  of two minutes in which another connection holds a snapshot.
"""


class Column(NamedTuple):
    """Of the table of all systems."""

    title: str
    test: str
    figure: str


COLUMNS = (
    Column("of bare", "1", "of bare"),
    Column("CPU s", "1", "cpu"),
    Column("WAL", "1", "wal"),
    Column("commits", "1", "commits"),
    Column("one by one/s", "2", "singly"),
    Column("in bulk/s", "2", "many"),
    Column("pick-up p50", "4", "p50"),
    Column("p99", "4", "p99"),
    Column("round trip p50", "5", "p50"),
    Column("p99", "5", "p99"),
    Column("snapshot first 10 s", "7", "first"),
    Column("last 10 s", "7", "last"),
)


def text(lines: Sequence[Line], rows: Sequence[Row], plots: Sequence[str]) -> str:
    """The whole page.

    Args:
        lines: all figures.
        rows: the same by system.
        plots: the names of the plots that were drawn.
    """
    rounds = max((line["round"] for line in lines if "round" in line), default=0)
    parts = [
        ["# Benchmarks", "", *setting.told(lines)],
        [
            "## Method",
            "",
            METHOD.format(rounds="one round" if rounds == 1 else f"{rounds} rounds", limit=LIMIT).rstrip(),
        ],
        ["## Systems", "", *systems(rows), *_images(plots)],
        _section("## What failed", failures.listed(lines)),
        ["## Configurations", "", *_configurations(lines, rows)],
        ["## django-tpq and its bars", "", *bars.table(samples(lines), rows)],
    ]
    return "\n\n".join("\n".join(part) for part in parts if part) + "\n"


def _section(title: str, lines: list[str]) -> list[str]:
    return [title, "", *lines] if lines else []


def _images(plots: Sequence[str]) -> list[str]:
    return [line for name in plots for line in ("", f"![{name}]({name}.svg)")]


def systems(rows: Sequence[Row]) -> list[str]:
    """A row for each system and configuration, ours first."""
    ours = next((row.drained for row in rows if row.is_ours), 0.0)
    titles = ["system", "configuration", "n", "drained/s", "ours, times", *(c.title for c in COLUMNS)]
    lines = [_cells(titles), _cells(["---", "---", *["---:"] * (len(titles) - 2)])]
    for row in rows:
        first = [row.name, row.config, str(row.rounds), spread(row.all("1", "rate")), _times(ours, row)]
        lines.append(_cells(first + [spread(row.all(c.test, c.figure)) for c in COLUMNS]))
    return lines


def _times(ours: float, row: Row) -> str:
    return number(ours / row.drained) if ours and row.drained else NOTHING


def _cells(values: Sequence[str]) -> str:
    return f"| {' | '.join(values)} |"


def _configurations(lines: Sequence[Line], rows: Sequence[Row]) -> list[str]:
    known: dict[str, dict[str, str]] = {}
    for line in lines:
        known |= line.get("configs", {})
    told = {(name, config): about for name, configs in known.items() for config, about in configs.items()}
    found = [_cells(["system", "versions", "configuration", "what it is"]), _cells(["---"] * 4)]
    for row in rows:
        about = _ours(row, lines) if row.is_ours else told.get((row.system, row.config), "")
        versions = ", ".join(f"{name} {version}" for name, version in row.versions.items())
        found.append(_cells([row.name, versions, row.config, about.replace("|", "\\|")]))
    return found


def _ours(row: Row, lines: Sequence[Line]) -> str:
    best = (best_threads(samples(lines)) or "").removeprefix("tasks/s, ")
    counted = "1 thread" if best == "1 threads" else best
    tried = f", drained with {counted}, the best of the counts that were tried"
    return "one executor process" + (tried if best and row.config == "best" else "")
