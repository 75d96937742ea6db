"""What did not run, with its own words."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from benchmarks.journal import Line
from benchmarks.report.systems import OURS, shown

__all__ = ["listed"]

Failed = tuple[str, str, str, str]
"""System, configuration, test, text."""


def listed(lines: Sequence[Line]) -> list[str]:
    """A Markdown list; what succeeded in the same round when it was tried again is left out."""
    rounds: defaultdict[Failed, list[int]] = defaultdict(list)
    mended = {_place(line) for line in lines if "round" in line and "failed" not in line}
    for line in lines:
        if "failed" in line and not _is_mended(line, mended):
            rounds[_failed(line)].append(line["round"])
    return [_told(failed, sorted(set(of))) for failed, of in rounds.items()]


def _is_mended(line: Line, mended: set[tuple[object, ...]]) -> bool:
    if line["test"]:
        return _place(line) in mended
    round_, system, config, _ = _place(line)
    return any(place[:3] == (round_, system, config) for place in mended)


def _place(line: Line) -> tuple[object, ...]:
    return line["round"], line.get("system", OURS), line.get("config", ""), line["test"]


def _failed(line: Line) -> Failed:
    return line.get("system", OURS), line.get("config", ""), line["test"], line["failed"]


def _told(failed: Failed, rounds: list[int]) -> str:
    system, config, test, said = failed
    where = ", ".join(_where(system, config, test, rounds))
    return f"- {where}: `{' '.join(said.split()).replace('`', chr(39))}`"


def _where(system: str, config: str, test: str, rounds: list[int]) -> Iterator[str]:
    yield shown(system)
    if config:
        yield config
    yield f"test {test}" if test else "as a whole"
    yield f"round{'s' if len(rounds) > 1 else ''} {', '.join(map(str, rounds))}"
