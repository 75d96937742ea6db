"""What the trials have shown: lines on the terminal, and a table for the documents."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from chaos.outcome import Outcome
from chaos.scenario import Scenario

__all__ = ["CROWD", "LOAD", "TRIALS", "line", "table", "write"]

TRIALS, LOAD, CROWD = (
    ("<!-- trials -->", "<!-- end of trials -->"),
    ("<!-- load -->", "<!-- end of load -->"),
    ("<!-- crowd -->", "<!-- end of crowd -->"),
)
"""Between them stand the tables in a document."""
COLUMNS = (
    "scenario", "what is done", "faults", "calls", "lost", "doubled", "other", "explained", "re-run p50, max (s)",
    "outage (s)",
)  # fmt: skip
LOST = (
    "committed and never ran", "no run to the end", "an attempt missing", "neither cancelled nor done",
    "an effect missing", "no result", "not a dead letter",
)  # fmt: skip
DOUBLED = (
    "ran twice without a fault", "two runs at a time", "an attempt too many", "both cancelled and done",
    "an effect twice",
)  # fmt: skip


def line(outcome: Outcome) -> Iterable[str]:
    """A trial for the terminal: a line, and one for each thing that is wrong."""
    mark = "ok  " if outcome.verdict.is_clean else "FAIL"
    yield (
        f"{mark} {outcome.scenario.name}: {outcome.calls} calls, {outcome.faults} faults, "
        f"re-run {_recovery(outcome)}, outage {outcome.outage:.1f} s, took {outcome.seconds:.0f} s"
    )
    for name, examples in outcome.verdict.broken.items():
        for example in examples[:3]:
            yield f"     {name}: {example}"
        if len(examples) > 3:
            yield f"     {name}: {len(examples) - 3} more"


def table(outcomes: Sequence[Outcome], skipped: Mapping[str, tuple[Scenario, str]]) -> list[str]:
    """All trials, for a document."""
    lines = ["| " + " | ".join(COLUMNS) + " |", "| --- | --- |" + " ---: |" * (len(COLUMNS) - 2)]
    lines += [_row(outcome) for outcome in outcomes]
    lines += [
        f"| {name} | {scenario.about} | skipped: {reason} |" + " |" * (len(COLUMNS) - 3)
        for name, (scenario, reason) in skipped.items()
    ]
    return lines


def _row(outcome: Outcome) -> str:
    broken = outcome.verdict.broken
    lost, doubled = (sum(len(broken.get(name, ())) for name in names) for names in (LOST, DOUBLED))
    other = sum(map(len, broken.values())) - lost - doubled
    explained = len(outcome.verdict.excused.get("ran twice", ()))
    cells = (
        outcome.scenario.name, outcome.scenario.about, outcome.faults, outcome.calls, lost, doubled, other, explained,
        _recovery(outcome), f"{outcome.outage:.1f}",
    )  # fmt: skip
    return "| " + " | ".join(map(str, cells)) + " |"


def _recovery(outcome: Outcome) -> str:
    seen = outcome.verdict.recovery
    return f"{outcome.verdict.median_recovery:.1f}, {max(seen):.1f}" if seen else "none"


def write(document: Path, lines: Iterable[str], between: tuple[str, str] = TRIALS) -> None:
    """Put lines between two marks of a document."""
    begin, end = between
    before, _, rest = document.read_text().partition(begin)
    _, _, after = rest.partition(end)
    document.write_text("\n".join([before + begin, *lines, end + after]))
