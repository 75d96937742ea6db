"""One row of a queue as a value, and the only place that turns bodies into JSON and back.

A body is any JSON value: it comes back equal, or it is refused before anything reaches the server. What
`jsonb` can not keep is refused with the place where it stands (`$.rows[3].name`).
"""

import json
import math
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

__all__ = ["MAX_DEPTH", "Message", "State", "decode", "decode_many", "encode", "storable"]

_WRITER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_READER = json.JSONDecoder()
MAX_SIZE = 2**28 - 1
"""How long a body's JSON may be; `jsonb` keeps no more in one string or array."""
MAX_DEPTH = 500
"""How deep a body may be nested. PostgreSQL and Python's own parser both give up some way beyond."""


class State(StrEnum):
    """Where a message stands (docs/architecture.md draws the arrows)."""

    READY = "ready"
    WAITING = "waiting"
    CLAIMED = "claimed"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it was when it was read. `(id, claim_no)` is its receipt."""

    id: int
    state: State
    priority: int
    due_at: datetime | None
    claim_no: int
    attempt: int
    max_attempts: int
    deliveries: int
    max_deliveries: int
    headers: Any
    body: Any
    error: str | None
    errors: Any
    """One `{"claimed_at", "at", "consumer", "type", "error"}` for each run that failed, the last 50; None: none has."""
    claimed_at: datetime | None
    """When it was claimed last."""
    enqueued_at: datetime

    COLUMNS = (
        "id",
        "state",
        "priority",
        "due_at",
        "claim_no",
        "attempt",
        "max_attempts",
        "deliveries",
        "max_deliveries",
        "headers",
        "body",
        "error",
        "errors",
        "claimed_at",
        "enqueued_at",
    )

    @classmethod
    def from_row(cls, row: tuple[Any, ...]) -> Self:
        """Make a message of one row of `COLUMNS`."""
        values = dict(zip(cls.COLUMNS, row, strict=True))
        values["state"] = State(values["state"])
        values["body"] = decode(values["body"])
        values["headers"] = decode(values["headers"])
        values["errors"] = decode(values["errors"])
        return cls(**values)


def encode(body: Any) -> str:
    """Write a body as JSON text that `jsonb` keeps unchanged.

    Tuples are written as arrays, as Python's `json` does.

    Raises:
        TypeError: something in it is not JSON, or an object key is not a string.
        ValueError: NaN or an infinity, a NUL character, a lone surrogate, nested deeper than `MAX_DEPTH`.
    """
    _check_structure(body)
    try:
        text = _WRITER.encode(body)
        text.isascii() or text.encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise _located(body, error) from None
    if len(text) > MAX_SIZE:
        raise ValueError(
            f"body: {len(text):,} characters of JSON are more than PostgreSQL keeps in one value"
        )
    if "\\u0000" in text:
        _check_characters(body)
    # A float beyond 1e16 is written with an exponent, and jsonb would give it back as an integer.
    return _STRING_OR_LARGE_FLOAT.sub(_spelled_out, text) if "e+" in text else text


def decode(value: Any) -> Any:
    """Read what the database gave for a JSON column: text, or what a driver has decoded already."""
    return _READER.raw_decode(value)[0] if isinstance(value, str) else value


def decode_many(texts: Sequence[str | None]) -> list[Any]:
    """Read JSON texts, None for NULL: as one array, in two thirds of the time that each alone takes."""
    bodies: list[Any] = _READER.raw_decode(f"[{','.join(text or 'null' for text in texts)}]")[0]
    return bodies


def storable(text: str) -> str:
    """A text about an error as PostgreSQL can keep it: what it can not is written out as an escape."""
    return text.replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _check_structure(body: Any) -> None:
    """Refuse what `json.dumps` would silently change (keys) and what can not be read back (depth)."""
    level, depth = [("$", body)], 0
    while level:
        if depth >= MAX_DEPTH:
            raise ValueError(f"body is nested deeper than {MAX_DEPTH} levels, or contains itself")
        inner = (found for place, value in level for found in _containers_in(place, value))
        # Each container once a level: what contains itself twice would grow without end.
        level = list({id(value): (place, value) for place, value in inner}.values())
        depth += 1


def _containers_in(place: str, value: Any) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"body{place[1:]}: an object key must be a string, not {key!r}")
        return [(f"{place}.{k}", v) for k, v in value.items() if isinstance(v, (dict, list, tuple))]
    if isinstance(value, (list, tuple)):
        return [(f"{place}[{i}]", v) for i, v in enumerate(value) if isinstance(v, (dict, list, tuple))]
    return []


def _walk(value: Any, place: str = "body") -> Iterator[tuple[str, Any]]:
    pending = [(place, value)]
    while pending:
        place, value = pending.pop()
        yield place, value
        if isinstance(value, dict):
            yield from ((f"key {key!r} of {place}", key) for key in value)
            pending += [(f"{place}.{key}", inner) for key, inner in value.items()]
        elif isinstance(value, (list, tuple)):
            pending += [(f"{place}[{i}]", inner) for i, inner in enumerate(value)]


def _located(body: Any, error: Exception) -> Exception:
    """Find the value that could not be written, and name the place."""
    for place, value in _walk(body):
        if isinstance(value, float) and not math.isfinite(value):
            return ValueError(f"{place}: {value} is not JSON")
        if isinstance(value, str) and not _is_unicode(value):
            return ValueError(f"{place}: a lone surrogate is not text that can be stored")
        if isinstance(value, int) and _is_too_long(value):
            return ValueError(f"{place}: an integer of that many digits can not be read back")
        if not isinstance(value, (dict, list, tuple, str, int, float, bool, type(None))):
            return TypeError(f"{place}: a {type(value).__name__} is not JSON")
    kind = TypeError if isinstance(error, TypeError) else ValueError
    return kind(f"body: {error}")


def _check_characters(body: Any) -> None:
    for place, value in _walk(body):
        if isinstance(value, str) and "\0" in value:
            raise ValueError(f"{place}: PostgreSQL can not store a NUL character in text")


def _is_too_long(number: int) -> bool:
    digits = sys.get_int_max_str_digits()
    return bool(digits) and abs(number) >= 10**digits


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


_STRING_OR_LARGE_FLOAT = re.compile(r'"(?:[^"\\]++|\\.)*+"|-?[\d.]+e\+\d+')


def _spelled_out(found: re.Match[str]) -> str:
    """Write a large float in full ("100…000.0"): the digit after the point keeps it a float. Strings stay."""
    token = found[0]
    return token if token.startswith('"') else f"{float(token):.1f}"
