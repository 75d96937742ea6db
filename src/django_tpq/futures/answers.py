"""What a future answers for a call that has ended: what it returned, or what it raised."""

from typing import Any, NamedTuple

from django_tpq.futures.calls import CallId, Failed, read
from django_tpq.futures.errors import ResultExpired
from django_tpq.futures.failures import of_dead_letter, of_failure
from django_tpq.futures.lookup import Arrival

__all__ = ["answer", "exception_of"]


class _Raised(NamedTuple):
    exception: BaseException


def answer(call: CallId, arrival: Arrival) -> Any:
    """What a call returned; what it raised is raised.

    Raises:
        ResultExpired: its result is gone.
        BadSignature: its result was changed.
    """
    value = _value(call, arrival)
    if isinstance(value, _Raised):
        raise value.exception
    return value


def exception_of(call: CallId, arrival: Arrival) -> BaseException | None:
    """What a call raised; None: it returned. Raises as `answer` where there is none."""
    value = _value(call, arrival)
    return value.exception if isinstance(value, _Raised) else None


def _value(call: CallId, arrival: Arrival) -> Any:
    if arrival.record is not None:
        value = read(call.token, arrival.record)
        return _Raised(of_failure(str(call), value)) if isinstance(value, Failed) else value
    if arrival.dead is not None:
        return _Raised(of_dead_letter(str(call), *arrival.dead))
    raise ResultExpired(
        f"call {call}: neither the call nor a result is there (never committed, rolled back, or the result's time is "
        "over; what a task of django.tasks has returned, its own get_result() tells)"
    )
