"""The plots of a report: SVG that reads on light and on dark, the same bytes for the same figures."""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any, Literal

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator

from benchmarks.report.figures import number
from benchmarks.report.systems import Row, favourites

__all__ = ["draw"]

INK = "#767b82"
"""Between white and black: as readable on one as on the other."""
OURS, OTHER, FAINT = "#2f81d7", "#8b929a", "#8b929a80"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "django-tpq",
    "font.sans-serif": ["DejaVu Sans", "Verdana"],
    "font.size": 9,
    "axes.titlesize": 10,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": INK,
}
METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))
"""Left out, since they are not the same each time."""
WIDTH, LINE = 7.5, 0.24
"""Inches: of a plot, and of a line in it."""
LEADER = {"arrowstyle": "-", "color": INK, "alpha": 0.4, "linewidth": 0.6, "relpos": (0, 0.5)}
SECONDS = 10
"""Of a window under the held snapshot."""


def draw(rows: Sequence[Row], folder: Path) -> list[str]:
    """Draw what there are figures for; the names of the plots."""
    folder.mkdir(parents=True, exist_ok=True)
    return [name for name, plot in PLOTS.items() if _is_drawn(plot, rows, folder / f"{name}.svg")]


def _is_drawn(plot: "Plot", rows: Sequence[Row], path: Path) -> bool:
    path.unlink(missing_ok=True)
    with rc_context(STYLE):
        if figure := plot(rows):
            figure.savefig(path, format="svg", transparent=True, bbox_inches="tight", metadata=METADATA)
    return path.exists()


def drain(rows: Sequence[Row]) -> Figure | None:
    """Bars of what each configuration drains."""
    shown = [row for row in rows if row.drained]
    with _lines(shown, "Tasks drained a second from a backlog (medians, logarithmic)") as (figure, axes):
        low = _below(min((row.drained for row in shown), default=1) / 1.5)
        for y, row in enumerate(shown):
            axes.barh(y, row.drained - low, left=low, height=0.7, color=_colour(row))
            _note(axes, row.drained, y, number(row.drained))
        _limits(axes, low, [row.drained for row in shown])
    return figure if shown else None


def latency(rows: Sequence[Row]) -> Figure | None:
    """From p50 to p99 of the pick-up."""
    shown = [row for row in rows if row.all("4", "p50") and row.all("4", "p99")]
    shown.sort(key=lambda row: row.median("4", "p50") or 0.0)
    ends = [(row.median("4", "p50") or 0.0, row.median("4", "p99") or 0.0) for row in shown]
    with _lines(shown, "Pick-up at 20 tasks a second, ms: p50 (dot) to p99 (medians, logarithmic)") as (
        figure,
        axes,
    ):
        for y, (row, (p50, p99)) in enumerate(zip(shown, ends, strict=True)):
            axes.plot([p50, p99], [y, y], color=_colour(row), linewidth=1.5, zorder=1)
            axes.plot([p50], [y], "o", color=_colour(row), markersize=5)
            axes.plot([p99], [y], "|", color=_colour(row), markersize=8, markeredgewidth=1.5)
            _note(axes, p99, y, f"{number(p50)} / {number(p99)}")
        _limits(axes, _below(min((p50 for p50, _ in ends), default=1)), [p99 for _, p99 in ends])
    return figure if shown else None


def snapshot(rows: Sequence[Row]) -> Figure | None:
    """The rates over the time in which a snapshot is held."""
    curves = {row: _curve(row) for row in favourites(rows) if row.windows}
    if not curves:
        return None
    figure = Figure(figsize=(WIDTH, 5))
    axes = figure.add_subplot()
    axes.set_yscale("log")
    low, high = _below(min(map(min, curves.values())) or 1), 1.5 * max(map(max, curves.values()))
    axes.set_ylim(low, high)
    end = SECONDS * max(map(len, curves.values()))
    axes.set_xlim(0, end)
    axes.set_xticks(range(0, end + 1, SECONDS * (1 + end // 100)))
    for row, curve in curves.items():
        seconds = [SECONDS * (place + 0.5) for place in range(len(curve))]
        axes.plot(seconds, curve, color=OURS if row.is_ours else OTHER, linewidth=2.2 if row.is_ours else 1.2)
    axes.set_title(
        "Tasks a second while another connection holds a snapshot (medians, logarithmic)", loc="left"
    )
    axes.set_xlabel("seconds", loc="left")
    _bare(axes, "y")
    axes.yaxis.set_major_locator(_ticks(low, high))
    _name_ends(axes, curves)
    return figure


def _curve(row: Row) -> list[float]:
    return [median(rates) for rates in zip(*row.windows, strict=False)]


def _name_ends(axes: Axes, curves: dict[Row, list[float]]) -> None:
    """Name each curve at its end; names that would touch are moved apart."""
    low, high = axes.get_ylim()
    ends = sorted(curves.items(), key=lambda pair: pair[1][-1])
    places = _apart([math.log(max(curve[-1], low)) for _, curve in ends], math.log(high / low) / 24)
    for (row, curve), place in zip(ends, places, strict=True):
        colour, last = OURS if row.is_ours else INK, SECONDS * (len(curve) - 0.5)
        axes.annotate(
            row.name,
            (last, max(curve[-1], low)),
            xytext=(last * 1.06, math.exp(place)),
            va="center",
            color=colour,
            arrowprops=LEADER,
            annotation_clip=False,
        )


def _apart(places: list[float], gap: float) -> list[float]:
    """Ascending places, moved until each is about a gap from the next."""
    for _ in range(500):
        for lower in range(len(places) - 1):
            if (lack := places[lower] + gap - places[lower + 1]) > 0:
                places[lower], places[lower + 1] = places[lower] - lack / 2, places[lower + 1] + lack / 2
    return places


@contextmanager
def _lines(rows: Sequence[Row], title: str) -> Iterator[tuple[Figure, Axes]]:
    """A plot with a line for each row, to be filled in the block."""
    figure = Figure(figsize=(WIDTH, 0.6 + LINE * max(len(rows), 1)))
    axes = figure.add_subplot()
    axes.set_xscale("log")
    axes.set_title(title, loc="left")
    axes.set_yticks(range(len(rows)), [f"{row.name}, {row.config}" for row in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    _bare(axes, "x")
    yield figure, axes


def _bare(axes: Axes, scale: Literal["x", "y"]) -> None:
    """No frame, and faint lines."""
    for side in axes.spines.values():
        side.set_visible(False)
    axis = axes.xaxis if scale == "x" else axes.yaxis
    axis.set_major_formatter(lambda value, _: number(value))
    axis.set_minor_locator(NullLocator())
    axes.grid(axis=scale, which="major", color=INK, alpha=0.25, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", length=0)


def _note(axes: Axes, x: float, y: float, text: str) -> None:
    axes.annotate(text, (x, y), xytext=(5, 0), textcoords="offset points", va="center", fontsize=8)


def _below(value: float) -> float:
    """The next place for a line that is not above."""
    power: float = 10 ** math.floor(math.log10(value))
    return 3 * power if value >= 3 * power else power


def _limits(axes: Axes, low: float, values: Sequence[float]) -> None:
    high = max(values, default=10) * 1.1
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(_ticks(low, high))


def _ticks(low: float, high: float) -> LogLocator:
    """The fewer in each power of ten, the more powers there are."""
    if high < 30 * low:
        return LogLocator(subs=(1, 2, 5))
    return LogLocator(subs=(1, 3) if high < 1e4 * low else (1,))


def _colour(row: Row) -> str:
    if row.is_ours:
        return OURS
    return FAINT if row.config == "default" else OTHER


Plot = Callable[[Sequence[Row]], Figure | None]
PLOTS: dict[str, Plot] = {"drain": drain, "latency": latency, "snapshot": snapshot}
