"""Values as text that depends on the values alone: not on the order of sets and dicts, nor on who is who. Pure."""

import copyreg
import dataclasses
import hashlib
import types
from collections.abc import Callable, Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

from django.db.models import Model

__all__ = ["digest"]

PROTOCOL = 4
"""Of pickle, by which a value of another type says what it consists of; later ones leave buffers out."""


def digest(value: Any) -> str:
    """The same text for equal values of equal types, in every process.

    Raises:
        TypeError: it can not be said what a value within consists of.
    """
    try:
        return hashlib.sha256(_written(value)).hexdigest()
    except TypeError:
        raise
    except RecursionError:
        raise TypeError("it contains itself, or is too deep") from None
    except Exception as error:  # noqa: BLE001 - values run their own code, whose text may tell a secret
        raise TypeError(f"to look into it raises {type(error).__name__}") from None


def _written(value: Any) -> bytes:
    """A value's kind and its parts, each with its length before it, so that none reads as another."""
    for types_, write in KINDS:
        if isinstance(value, types_):
            return write(value)
    if dataclasses.is_dataclass(value):
        compared = [field.name for field in dataclasses.fields(value) if field.compare]
        return _joined(_name(type(value)), (_written([name, getattr(value, name)]) for name in compared))
    return _reduced(value)


def _joined(kind: str, parts: Iterable[bytes] = ()) -> bytes:
    text = kind.encode("utf-8", "surrogatepass")
    return b"".join(b"%d:%b" % (len(part), part) for part in (text, *parts))


def _text(kind: str) -> Callable[[str], bytes]:
    return lambda value: _joined(kind, [value.encode("utf-8", "surrogatepass")])


def _name(thing: Any) -> str:
    return f"{thing.__module__}.{thing.__qualname__}"


def _decimal(value: Decimal) -> bytes:
    """1.0 is 1.00."""
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return _text("decimal")(str(value))
    text = "".join(map(str, digits))
    short = text.rstrip("0")
    return _text("decimal")(
        f"{sign}:{short}:{exponent + len(text) - len(short)}" if short.strip("0") else "0"
    )


def _datetime(value: datetime) -> bytes:
    """With a time zone it is a moment, wherever that is."""
    offset = value.utcoffset()
    moment = value.replace(tzinfo=None) - (offset or timedelta(0))
    return _text("naive" if offset is None else "moment")(moment.isoformat())


def _model(value: Model) -> bytes:
    meta = value._meta
    if value.pk is None:
        raise TypeError(f"a {meta.label} that is not saved has no key of its own")
    return _joined("model", [_written(meta.concrete_model._meta.label), _written(value.pk)])  # type: ignore[union-attr]


def _reduced(value: Any) -> bytes:
    """What pickle would put the value together from."""
    reduce = copyreg.dispatch_table.get(type(value))
    try:
        reduced = reduce(value) if reduce else value.__reduce_ex__(PROTOCOL)
    except Exception:  # noqa: BLE001 - it is the value's own code, whose text may tell a secret
        raise TypeError(f"it can not be said what a {type(value).__name__} consists of") from None
    if isinstance(reduced, str):
        return _text("global")(f"{value.__module__}.{reduced}")
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    return _joined("object", map(_written, (make, args, state, list(items or ()), dict(pairs or ()))))


KINDS: tuple[tuple[Any, Callable[[Any], bytes]], ...] = (
    (str, _text("text")),
    (bool, lambda value: _joined("true" if value else "false")),
    (int, lambda value: _text("whole")(format(int(value), "x"))),
    (float, lambda value: _text("float")(float(value).hex())),
    (types.NoneType, lambda _: _joined("none")),
    ((list, tuple), lambda value: _joined("list", map(_written, value))),
    (dict, lambda value: _joined("dict", sorted(_written(pair) for pair in value.items()))),
    ((set, frozenset), lambda value: _joined("set", sorted(map(_written, value)))),
    ((bytes, bytearray), lambda value: _joined("bytes", [bytes(value)])),
    (datetime, _datetime),
    (date, lambda value: _text("date")(value.isoformat())),
    (time, lambda value: _text("time")(value.isoformat())),
    (
        timedelta,
        lambda value: _joined("duration", map(_written, (value.days, value.seconds, value.microseconds))),
    ),
    (Decimal, _decimal),
    (UUID, lambda value: _joined("uuid", [value.bytes])),
    (Enum, lambda value: _joined("enum", map(_written, (type(value), value.name)))),
    (Model, _model),
    ((type, types.FunctionType), lambda value: _text("global")(_name(value))),
)
"""What values of some types are told apart by; the first that fits. Text and numbers come before enums: choices that
are text are that text."""
