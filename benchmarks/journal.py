"""The figures of a run in `figures.jsonl`: each is on disk as soon as it is known."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

__all__ = ["FILE", "Journal", "Line", "Step", "read"]

FILE = "figures.jsonl"
BEFORE = "figures.before.jsonl"

Line = dict[str, Any]
"""By its `kind`: `head` (machine, versions, date), `ours` or `peer` (one test in one round: figures or `failed`)."""


class Step(NamedTuple):
    """One test of one system in one round."""

    round: int
    test: str
    system: str = ""
    """Empty: ours."""
    config: str = ""

    def __str__(self) -> str:
        return f"test {self.test}, {' '.join(filter(None, (self.system, self.config))) or 'ours'}"


def read(path: Path) -> list[Line]:
    """The lines of a file; none if it is not there. One that was cut short is left out."""
    if not path.exists():
        return []
    return [json.loads(text) for text in path.read_text().splitlines(keepends=True) if text.endswith("\n")]


class Journal:
    """The lines of a run, and their file.

    Args:
        path: the file; None: nothing is written.
        resume: go on with what the file has. Else it is put aside, as `figures.before.jsonl`.
    """

    def __init__(self, path: Path | None, *, resume: bool = False) -> None:
        self._path = path
        self.lines: list[Line] = []
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            if resume:
                self._go_on(path)
            elif path.exists():
                path.replace(path.with_name(BEFORE))

    def _go_on(self, path: Path) -> None:
        self.lines = read(path)
        path.write_text("".join(map(_text, self.lines)))

    def add(self, line: Line) -> None:
        """Keep a line."""
        self.lines.append(line)
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(_text(line))

    @property
    def done(self) -> set[Step]:
        """What was measured. What failed is not among it, and is tried again."""
        return set(_steps(self.lines))


def _steps(lines: Iterable[Line]) -> Iterable[Step]:
    for line in lines:
        if line["kind"] != "head" and "failed" not in line:
            yield Step(line["round"], line["test"], line.get("system", ""), line.get("config", ""))


def _text(line: Line) -> str:
    return json.dumps(line, ensure_ascii=False) + "\n"
