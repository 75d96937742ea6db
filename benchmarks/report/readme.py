"""The README's table and plot, between its two markers."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.journal import Line
from benchmarks.report import setting
from benchmarks.report.figures import NOTHING, number
from benchmarks.report.systems import Row, favourites

__all__ = ["block", "rewrite"]

START, END = "<!-- benchmarks -->", "<!-- /benchmarks -->"
COLUMNS = {
    "tasks drained/s": ("1", "rate"),
    "enqueued one by one/s": ("2", "singly"),
    "pick-up, ms": ("4", "p50"),
    "round trip, ms": ("5", "p50"),
}


def rewrite(document: Path, lines: Sequence[Line], rows: Sequence[Row]) -> None:
    """Put the table between the markers.

    Raises:
        ValueError: the markers are not there.
    """
    before, start, rest = document.read_text().partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"{document.name} has no {START} … {END}")
    document.write_text(f"{before}{START}\n{block(lines, rows)}\n{END}{after}")


def block(lines: Sequence[Line], rows: Sequence[Row]) -> str:
    """A line for each system, in the configuration that drains most, and the plot."""
    rounds = max((row.rounds for row in rows), default=0)
    table = [f"| system | {' | '.join(COLUMNS)} |", f"| --- |{' ---: |' * len(COLUMNS)}"]
    table += [_line(row) for row in favourites(rows)]
    return "\n".join(
        [
            *table,
            "",
            f"Medians of {rounds} ({setting.short(lines)}), each system in the configuration that drains most. Method,",
            "ranges and all else: [docs/benchmarks](docs/benchmarks/index.md); `make bench` measures anew.",
            "",
            "![Tasks drained a second](docs/benchmarks/drain.svg)",
        ]
    )


def _line(row: Row) -> str:
    values = [row.median(*key) for key in COLUMNS.values()]
    shown = [NOTHING if value is None else number(value) for value in values]
    return f"| {f'**{row.name}**' if row.is_ours else row.name} | {' | '.join(shown)} |"
