"""Where a call stands, in one word."""

from enum import StrEnum

from django_tpq.futures import queues
from django_tpq.futures.calls import CallId, Failed, read
from django_tpq.futures.errors import CallCancelled
from django_tpq.futures.lookup import Cursor
from django_tpq.futures.results import store
from tpq.table import QueueTable

__all__ = ["CallState", "state_of"]

CANCELLED = f"{CallCancelled.__module__}.{CallCancelled.__qualname__}"


class CallState(StrEnum):
    """Where a call stands: the states of its row while it has one, and how it has ended."""

    READY = "ready"
    WAITING = "waiting"
    CLAIMED = "claimed"
    """It runs, or is about to."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    GONE = "gone"
    """Neither the call nor a result is there: never committed, the result's time is over, or it keeps none."""


def state_of(call: CallId, cursor: Cursor) -> CallState:
    """Where a call stands now."""
    record = store().get([call.token], cursor).get(call.token)
    if record is None:
        name = queues.manager(call.queue).model._meta.db_table
        row = QueueTable.of_messages(name, cursor).states([call.number], "token").get(call.number)
        if row is not None and row[3] == call.token:
            return _of_a_row(row[0], row[1] or "")
        record = store().get([call.token], cursor).get(call.token)  # it may have ended between the two looks
    return CallState.GONE if record is None else _of_a_result(call, record)


def _of_a_row(state: str, error: str) -> CallState:
    if state != "dead":
        return CallState(state)
    return CallState.CANCELLED if error.startswith(CANCELLED) else CallState.FAILED


def _of_a_result(call: CallId, record: bytes) -> CallState:
    value = read(call.token, record)
    if not isinstance(value, Failed):
        return CallState.SUCCEEDED
    return CallState.CANCELLED if value.type == CANCELLED else CallState.FAILED
