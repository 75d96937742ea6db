"""What a call carries of its own options: those by which it differs from its task, in its headers.

Headers are not signed, and may hold anything: what does not fit is as if it were not there.
"""

import contextlib
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django_tpq.conf import settings
from django_tpq.futures.moments import ahead
from django_tpq.futures.options import TaskOptions
from django_tpq.main.durations import seconds
from tpq.backoff import Constant, Exponential

__all__ = ["carried", "expiry", "has_expired", "is_kept", "options_of"]

STAY = ("retry_on", "give_up_on", "secret")
"""Options that are code, or belong to the code."""


def carried(options: TaskOptions, of_task: TaskOptions) -> dict[str, Any]:
    """What goes into the headers of a call.

    Raises:
        TypeError: an option is code, which only the task itself can have.
    """
    headers: dict[str, Any] = {}
    for name in STAY:
        if getattr(options, name) != getattr(of_task, name):
            raise TypeError(f"{name} of a single call can not be carried to an executor: give it to @task")
    if options.result_ttl != of_task.result_ttl:
        ttl = settings.RESULT_TTL if options.result_ttl is None else options.result_ttl
        headers["result_ttl"] = seconds(ttl).total_seconds()
    if options.backoff != of_task.backoff:
        headers["backoff"] = _written(options.backoff)
    if options.seconds != of_task.seconds:
        headers["timeout"] = options.seconds
    for name in ("executor", "atomic"):
        if getattr(options, name) != getattr(of_task, name):
            headers[name] = getattr(options, name)
    return headers


def expiry(options: TaskOptions) -> dict[str, Any]:
    """From when on a call that is made now has expired, as headers."""
    expires = options.expires
    if expires is None:
        return {}
    moment = (
        expires.timestamp() if isinstance(expires, datetime) else _now() + seconds(expires).total_seconds()
    )
    return {"expires_at": moment}


def has_expired(headers: Mapping[str, Any]) -> bool:
    """Whether it is too late to begin a call with these headers."""
    moment = headers.get("expires_at")
    return isinstance(moment, (int, float)) and moment <= _now()


def _now() -> float:
    return time.time() + ahead.get().total_seconds()


def _written(backoff: Any) -> Any:
    if isinstance(backoff, Exponential):
        return [backoff.base.total_seconds(), backoff.limit.total_seconds(), backoff.jitter]
    if isinstance(backoff, Constant):
        backoff = backoff.wait
    if isinstance(backoff, (int, float, timedelta)):
        return seconds(backoff).total_seconds()
    raise TypeError(
        "a function as backoff of a single call can not be carried to an executor: give it to @task, or the call a "
        "duration or Exponential(…)"
    )


def options_of(of_task: TaskOptions, headers: Mapping[str, Any] | None) -> TaskOptions:
    """The options of a call: its task's, and what its headers say."""
    if not isinstance(headers, Mapping):
        return of_task
    options = of_task
    for name, read in READ.items():
        if name in headers:
            with contextlib.suppress(TypeError, ValueError, OverflowError):
                options = options.replaced({name: read(headers[name])})
    return options


def is_kept(headers: Any) -> bool:
    """Whether a call that ends well is kept among the finished ones."""
    return isinstance(headers, Mapping) and headers.get("keep") is True


def _maybe(value: Any) -> Any:
    return None if value is None else _number(value)


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError("no number")
    return value


def _backoff(value: Any) -> Any:
    if not isinstance(value, list):
        return _number(value)
    base, limit, jitter = map(_number, value)
    return Exponential(base=timedelta(seconds=base), limit=timedelta(seconds=limit), jitter=jitter)


READ: dict[str, Callable[[Any], Any]] = {
    "result_ttl": _number,
    "backoff": _backoff,
    "timeout": _maybe,
    "executor": lambda value: value,
    "atomic": bool,
}
