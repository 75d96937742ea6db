"""The report of a run, from the lines of its figures: pages, plots, and the README's table."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.journal import Line
from benchmarks.options import HOME
from benchmarks.places import ROOT
from benchmarks.report import bars, page, plots, readme
from benchmarks.report.figures import samples
from benchmarks.report.systems import rows

__all__ = ["summary", "write"]


def summary(lines: Sequence[Line]) -> list[str]:
    """The tables, for who waits at the terminal."""
    found = rows(lines)
    shown = [*page.systems(found), ""] if any(line["kind"] == "peer" for line in lines) else []
    return shown + bars.table(samples(lines), found)


def write(
    folder: Path, lines: Sequence[Line], home: Path = HOME, document: Path = ROOT / "README.md"
) -> None:
    """Write page and plots; and the document's table, if this is the folder of the project and a whole run."""
    found = rows(lines)
    drawn = plots.draw(found, folder)
    (folder / "index.md").write_text(page.text(lines, found, drawn))
    if folder.resolve() == home.resolve() and not any(line.get("quick") for line in lines):
        readme.rewrite(document, lines, found)
