"""What the demo prints."""

from collections.abc import Sequence
from statistics import median, quantiles

from django_tpq.futures.models import Task


def headline(text: str) -> None:
    """A line that starts a chapter."""
    print(f"\n== {text}", flush=True)


def table(rows: Sequence[Sequence[object]]) -> None:
    """Columns: the first to the left, the others to the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    for row in cells:
        first, *others = (
            cell.rjust(width) if place else cell.ljust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        print("  " + "  ".join([first, *others]))


def sums(found: dict[str, int], expected: dict[str, int]) -> None:
    """The figures, by the tasks and directly."""
    table([("figure", "by tasks", "directly"), *((k, f"{found[k]:,}", f"{expected[k]:,}") for k in expected)])


def statistics() -> None:
    """The table of `Task.objects`."""
    names = ("name", "running", "total", "failures")
    table([names, *Task.objects.order_by("name").values_list(*names)])


def latencies(seconds: Sequence[float]) -> None:
    """Round trips: delay() to result()."""
    cuts = quantiles(seconds, n=100)
    print(
        f"  {len(seconds)} round trips, one after the other: median {median(seconds) * 1000:.1f} ms, "
        f"p95 {cuts[94] * 1000:.1f} ms, p99 {cuts[98] * 1000:.1f} ms"
    )
