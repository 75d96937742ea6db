"""What a future answers for a call that has ended: what it returned, or what it raised."""

from typing import Any, NamedTuple

from django_tpq.futures.calls import CallId, Failed, read
from django_tpq.futures.errors import ResultExpired
from django_tpq.futures.failures import of_dead_letter, of_failure
from django_tpq.futures.lookup import Arrival

__all__ = ["Raised", "value_of"]


class Raised(NamedTuple):
    """It raised."""

    exception: BaseException


def value_of(call: CallId, arrival: Arrival) -> Any:
    """What a call returned, or `Raised`.

    Raises:
        ResultExpired: its result is gone.
        BadSignature: its result was changed.
    """
    if arrival.record is not None:
        value = read(call.token, arrival.record)
        return Raised(of_failure(str(call), value)) if isinstance(value, Failed) else value
    if arrival.dead is not None:
        return Raised(of_dead_letter(str(call), *arrival.dead))
    raise ResultExpired(
        f"call {call}: neither the call nor a result is there (never committed, rolled back, or the result's time is "
        "over)"
    )
