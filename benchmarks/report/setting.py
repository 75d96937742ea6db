"""Where and when it was measured, in words."""

from collections.abc import Sequence

from benchmarks.journal import Line

__all__ = ["short", "told"]


def told(lines: Sequence[Line]) -> list[str]:
    """A list of date, machine, versions and settings, for each start of the run."""
    found: list[str] = []
    for place, head in enumerate(_heads(lines)):
        found += ["", "The run was gone on with:", ""] if place else []
        found += _of(head)
    return found


def _heads(lines: Sequence[Line]) -> list[Line]:
    return [line for line in lines if line["kind"] == "head"]


def _of(head: Line) -> list[str]:
    machine, size = head["machine"], " A quick run: the figures are rough." if head.get("quick") else ""
    return [
        f"- Begun {_moment(head)}.{size}",
        f"- Machine: {machine['cpu']}, {machine['cores']} cores, {machine['memory']}, {machine['kernel']}.",
        f"- Versions: {_pairs(head['versions'])}.",
        f"- PostgreSQL's settings: {_pairs(head['settings'], '=')}, the rest as it comes. Redis as it comes.",
    ]


def _moment(head: Line) -> str:
    return f"{head['date'][:16].replace('T', ' ')} UTC"


def _pairs(values: dict[str, str], between: str = " ") -> str:
    return ", ".join(f"{name}{between}{value}" for name, value in values.items() if value)


def short(lines: Sequence[Line]) -> str:
    """The same in a line, of the first start."""
    head = next(iter(_heads(lines)), None)
    if head is None:
        return ""
    return f"{head['date'][:10]}, {head['machine']['cores']} cores of {head['machine']['cpu']}"
