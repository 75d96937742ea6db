"""Dead letters as text and as JSON: a line each, or one with all that is known of it."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone

from django_tpq.futures.arguments import seen
from django_tpq.futures.deadletters import Place
from django_tpq.main.deadletters import error_tail

__all__ = ["attempts", "in_full", "in_short", "lines_of", "listed", "table"]

HEADINGS = ("id", "task", "type", "died", "runs", "error")
GAP = "  "


def listed(letters: Any, limit: int) -> Any:
    """The newest of some dead letters, without what is large."""
    slim = letters.defer("error", "errors", "body", "headers").annotate(**error_tail())
    return (slim.defer("payload") if hasattr(letters.model, "payload") else slim).order_by("-pk")[:limit]


def in_short(place: Place, letter: Any) -> dict[str, Any]:
    """A dead letter of a list."""
    last = (letter.error_tail or "").strip().splitlines()
    return {
        "id": place.id_of(letter),
        "queue": place.name,
        "number": letter.pk,
        "task": letter.task if place.has_calls else None,
        "type": letter.error_type,
        "died_at": letter.died_at,
        "attempt": letter.attempt,
        "deliveries": letter.deliveries,
        "error": last[-1] if last else "",
    }


def in_full(place: Place, letter: Any) -> dict[str, Any]:
    """A dead letter with all that is known of it, but for what its task says is secret."""
    return {
        "id": place.id_of(letter),
        "queue": place.name,
        "number": letter.pk,
        "task": letter.task if place.has_calls else None,
        "type": letter.error_type,
        "enqueued_at": letter.enqueued_at,
        "died_at": letter.died_at,
        "kept_until": letter.due_at,
        "priority": letter.priority,
        "attempt": letter.attempt,
        "max_attempts": letter.max_attempts,
        "deliveries": letter.deliveries,
        "max_deliveries": letter.max_deliveries,
        "unique_key": letter.unique_key,
        **({"arguments": seen(place.name, letter)} if place.has_calls else {"body": letter.body}),
        "error": letter.error,
        "attempts": attempts(letter),
    }


def attempts(letter: Any) -> list[Mapping[str, Any]]:
    """The runs that failed, the first one first. The last 50 are kept."""
    errors = letter.errors
    return [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []


def table(rows: Sequence[Mapping[str, Any]], width: int | None) -> Iterator[str]:
    """A line for each dead letter of a list, and one above them; `width`: of the terminal, None: as wide as need be."""
    cells = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(HEADINGS) - 1)]
    for line in cells:
        text = GAP.join([*(cell.ljust(size) for cell, size in zip(line, widths, strict=False)), line[-1]])
        yield text.rstrip() if width is None or len(text) <= width else f"{text[: width - 1]}…"


def lines_of(full: Mapping[str, Any]) -> Iterator[str]:
    """A dead letter with all that is known of it."""
    yield f"{full['id']} of {full['task']}" if full["task"] else full["id"]
    yield f"  queue {full['queue']}, number {full['number']}, priority {full['priority']}"
    kept = f", kept until {_moment(full['kept_until'])}" if full["kept_until"] else ""
    yield f"  enqueued {_moment(full['enqueued_at'])}, died {_moment(full['died_at'])}{kept}"
    lost = f"{full['deliveries']} of {full['max_deliveries']} deliveries lost"
    yield f"  attempt {full['attempt']} of {full['max_attempts']}, {lost}"
    if full["unique_key"] is not None:
        yield f"  unique key {full['unique_key']}"
    name = "arguments" if "arguments" in full else "body"
    yield f"  {name} {full[name]}"
    if not full["attempts"]:
        yield from textwrap.indent(full["error"] or "", "  ").splitlines()
    for number, attempt in enumerate(full["attempts"], 1):
        yield f"run {number}: {_moment(attempt.get('claimed_at'))} to {_moment(attempt.get('at'))}, {_who(attempt)}"
        yield from textwrap.indent(str(attempt.get("error") or ""), "  ").splitlines()


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    kind = str(row["type"] or "").removeprefix("builtins.")
    runs = str(row["attempt"] + row["deliveries"])
    died = _moment(row["died_at"])
    return str(row["id"]), row["task"] or "", kind, died, runs, row["error"]


def _who(attempt: Mapping[str, Any]) -> str:
    by = f"consumer {attempt.get('consumer')}" if attempt.get("consumer") else "on a lease"
    return f"{by}: {attempt['type']}" if attempt.get("type") else by


def _moment(value: Any) -> str:
    if not value:
        return "-"
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    return _here(value).strftime("%Y-%m-%d %H:%M:%S")


def _here(value: datetime) -> datetime:
    """As the project writes times: with USE_TZ off they are naive and its own already."""
    return timezone.localtime(value) if timezone.is_aware(value) else value
