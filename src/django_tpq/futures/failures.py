"""What a future raises for a call that failed: the exception itself, or one that names it, with its traceback there."""

import contextlib
import pickle

from django_tpq.futures.calls import Failed
from django_tpq.futures.errors import (
    CallCancelled,
    CallExpired,
    CallTimeout,
    ExecutorLost,
    MemoryExceeded,
    TaskFailed,
)

__all__ = ["of_dead_letter", "of_failure"]

OURS: dict[str, type[BaseException]] = {
    f"{kind.__module__}.{kind.__qualname__}": kind
    for kind in (CallCancelled, CallExpired, CallTimeout, MemoryExceeded)
}
"""Errors that have their type whatever codec has carried them, by its name."""


def of_failure(call: str, failed: Failed) -> BaseException:
    """Of a result that is a failure."""
    error = _unpickled(failed.exception)
    if error is None and failed.lost:
        error = ExecutorLost(failed.message)
    elif error is None and (ours := OURS.get(failed.type)):
        error = ours(failed.message)
    elif error is None:
        error = TaskFailed(f"call {call}: {failed.type}: {failed.message}")
    if failed.traceback:
        with contextlib.suppress(Exception):  # an exception's own code and attributes may be anything
            error.add_note(f"Remote traceback of call {call}:\n{failed.traceback}")
    return error


def _unpickled(raw: bytes | None) -> BaseException | None:
    """The exception itself; None when this process can not read it: it may lack the module, or have another."""
    try:
        error = None if raw is None else pickle.loads(raw)
    except Exception:  # noqa: BLE001 - reading runs the exception's own code
        return None
    return error if isinstance(error, BaseException) else None


def of_dead_letter(call: str, error: str, lost: bool) -> BaseException:
    """Of a dead letter without a result: its text is all there is."""
    if lost:
        return ExecutorLost(f"call {call}: {error}")
    if ours := next((kind for name, kind in OURS.items() if error.startswith(f"{name}: ")), None):
        return ours(error.partition(": ")[2])
    last = error.strip().splitlines()[-1] if error.strip() else "it failed"
    failure = TaskFailed(f"call {call}: {last}")
    failure.add_note(f"Remote traceback of call {call}:\n{error}")
    return failure
