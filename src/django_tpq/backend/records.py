"""The results that Django's tasks speak of, made of rows."""

from __future__ import annotations

import json
import traceback
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings as project
from django.core.exceptions import SuspiciousOperation
from django.utils import timezone
from django.utils.module_loading import import_string

from django_tpq.backend.compat import Task, TaskError, TaskResultStatus, normalize_json
from django_tpq.backend.results import PostgreSQLResult
from django_tpq.futures.calls import CallId, read, unpack

if TYPE_CHECKING:
    from django_tpq.futures.models import BaseCallQueue, Finished

__all__ = ["as_json", "error_of", "moment", "of_finished", "of_row", "outline"]

LOST = "django_tpq.futures.errors.ExecutorLost"
"""The type of an attempt that ended with its executor."""
STATUS = {
    "ready": TaskResultStatus.READY,
    "waiting": TaskResultStatus.READY,
    "claimed": TaskResultStatus.RUNNING,
    "dead": TaskResultStatus.FAILED,
}


def outline(task: Any, id: str, args: Any, kwargs: Any, **known: Any) -> Any:  # noqa: A002 - Django's name
    """A result of which only so much is known."""
    fields: dict[str, Any] = {
        "status": TaskResultStatus.READY,
        "enqueued_at": None,
        "started_at": None,
        "finished_at": None,
        "last_attempted_at": None,
        "errors": [],
        "worker_ids": [],
    }
    return PostgreSQLResult(
        task=task, id=id, args=list(args), kwargs=dict(kwargs), backend=task.backend, **fields | known
    )


def of_row(row: BaseCallQueue, call: CallId) -> Any:
    """Of a call that is in its queue.

    Raises:
        BadSignature: it was changed, or signed with another key.
        ImportError, SuspiciousOperation: there is no such task here.
    """
    arguments, entries = _arguments(row, call), _entries(row.errors)
    is_claimed, is_dead = row.state == "claimed", row.state == "dead"
    runs = [
        entry for entry in entries if entry["consumer"] is not None
    ]  # what was cancelled had perhaps not begun
    begun = [entry["claimed_at"] for entry in runs] + ([row.claimed_at] if is_claimed else [])
    workers = [entry["consumer"] for entry in runs] + ([row.claimed_by] if is_claimed else [])
    return outline(
        _task(call, row),
        str(call),
        *arguments,
        status=STATUS[row.state],
        enqueued_at=moment(row.enqueued_at),
        started_at=moment(begun[0]) if begun else None,
        last_attempted_at=moment(begun[-1]) if begun else None,
        finished_at=moment(entries[-1]["at"]) if is_dead and entries else None,
        errors=list(map(_error, entries)),
        worker_ids=list(map(str, workers)),
    )


def of_finished(row: Finished, call: CallId) -> Any:
    """Of a call that has ended well.

    Raises:
        As `of_row`.
    """
    arguments, entries = _arguments(row, call), _entries(row.errors)
    runs = _begun(entries)
    value = read(call.token, bytes(row.record))
    result = outline(
        _task(call, row),
        str(call),
        *arguments,
        status=TaskResultStatus.SUCCESSFUL,
        enqueued_at=moment(row.enqueued_at),
        started_at=moment(runs[0]["claimed_at"] if runs else row.claimed_at),
        last_attempted_at=moment(row.claimed_at),
        finished_at=moment(row.finished_at),
        errors=list(map(_error, entries)),
        worker_ids=[*(str(entry["consumer"]) for entry in runs), str(row.consumer)],
    )
    object.__setattr__(result, "_return_value", value)
    return result


def as_json(value: Any) -> Any:
    """A value as it will be read.

    Raises:
        TypeError, ValueError: it is no JSON.
    """
    return json.loads(json.dumps(normalize_json(value), allow_nan=False))


def _arguments(row: Any, call: CallId) -> tuple[Any, Any]:
    """They are read first: nothing of a row is believed, and no module imported, before its signature was right."""
    _, (args, kwargs) = unpack(call.queue, call.token, row.task, bytes(row.payload))
    return args, kwargs


def _task(call: CallId, row: Any) -> Any:
    """The task as it was when the call was made."""
    found, headers = import_string(row.task), row.headers or {}
    if not isinstance(found, Task):
        raise SuspiciousOperation(f"Task {call} does not point to a Task ({row.task})")
    told = headers.get("run_after")
    return found.using(
        priority=row.priority,
        queue_name=headers["queue_name"],
        run_after=datetime.fromisoformat(told) if told else None,
        backend=headers["backend"],
    )


def _entries(errors: Any) -> Sequence[Mapping[str, Any]]:
    return errors if isinstance(errors, list) else []


def _begun(entries: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Those that had begun: what waited and was cancelled has an error, but had no run."""
    return [entry for entry in entries if entry["consumer"] is not None]


def _error(entry: Mapping[str, Any]) -> Any:
    return TaskError(exception_class_path=entry["type"] or LOST, traceback=entry["error"] or "")


def error_of(error: BaseException) -> Any:
    """Of an exception."""
    kind = type(error)
    return TaskError(
        exception_class_path=f"{kind.__module__}.{kind.__qualname__}",
        traceback="".join(traceback.format_exception(error)),
    )


def moment(value: datetime | str | None) -> datetime | None:
    """A moment as Django has it: aware, or with USE_TZ off in the project's time."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if value is None:
        return None
    if not project.USE_TZ:
        return timezone.make_naive(value) if timezone.is_aware(value) else value
    return value.astimezone(UTC)
