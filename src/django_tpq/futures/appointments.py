"""Between a schedule in code, its row, and its task: what each says, and whether they fit. Pure."""

import inspect
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from django_tpq.futures.registry import Registered
from django_tpq.futures.schedules import Cron, Every, Rule

__all__ = ["Row", "bound", "row_of", "rule_of"]


class Row(Protocol):
    """What a row says of when a schedule is due, and how it is followed."""

    @property
    def cron(self) -> str: ...
    @property
    def every(self) -> timedelta | None: ...
    @property
    def start_at(self) -> datetime | None: ...
    @property
    def timezone(self) -> str: ...
    @property
    def args(self) -> Any: ...
    @property
    def kwargs(self) -> Any: ...
    @property
    def misfire(self) -> str: ...
    @property
    def grace(self) -> timedelta: ...
    @property
    def overlap(self) -> str: ...
    @property
    def jitter(self) -> timedelta: ...


def rule_of(row: Row) -> Rule:
    """The schedule that a row says.

    Raises:
        TypeError, ValueError: it says none; the text tells why.
        ModuleNotFoundError: it is a cron expression, and what reads them is not installed.
    """
    alike: dict[str, Any] = {
        name: getattr(row, name) for name in ("args", "kwargs", "misfire", "grace", "overlap", "jitter")
    }
    if row.every is not None:
        return Every(row.every, start=_aware(row.start_at), **alike)
    cron = Cron(row.cron, tz=row.timezone, **alike)
    cron.require()
    return cron


def _aware(start: datetime | None) -> datetime | None:
    """What Django reads with USE_TZ off is in the time zone of the process."""
    return start.astimezone(UTC) if start is not None and start.utcoffset() is None else start


def row_of(name: str, rule: Rule, time_zone: str) -> dict[str, Any]:
    """The columns of a schedule in code; `time_zone`: the project's."""
    cron = rule if isinstance(rule, Cron) else None
    every = rule if isinstance(rule, Every) else None
    return {
        "name": name,
        "cron": cron.expression if cron else "",
        "every": every.interval if every else None,
        "start_at": every.start if every else None,
        "timezone": (cron.tz if cron else None) or time_zone,
        "args": json.dumps(list(rule.args)),
        "kwargs": json.dumps(dict(rule.kwargs)),
        "misfire": rule.misfire,
        "grace": rule.grace,
        "overlap": rule.overlap,
        "jitter": rule.jitter,
    }


def bound(task: Registered, args: Any, kwargs: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    """The arguments of a schedule's calls.

    Raises:
        TypeError: the task does not take them; the text names the parameter.
    """
    if not isinstance(args, Sequence) or isinstance(args, str):
        raise TypeError(f"task {task.name}: the args of its schedule must be a list, not {args!r}")
    if not isinstance(kwargs, Mapping):
        raise TypeError(f"task {task.name}: the kwargs of its schedule must be a dict, not {kwargs!r}")
    try:
        inspect.signature(task).bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(
            f"task {task.name}: its schedule must give what it takes: {error}. Give it by args=… or kwargs={{…}} of "
            "the schedule, or give the parameter a default"
        ) from None
    return args, kwargs
