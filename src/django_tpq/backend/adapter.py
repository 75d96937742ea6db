"""A task of Django's as one of ours: how it is sent, and how it runs in an executor."""

import dataclasses
import functools
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.dispatch import Signal
from django.utils import timezone
from django.utils.module_loading import import_string

from django_tpq.backend import records
from django_tpq.backend.compat import (
    Task,
    TaskContext,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from django_tpq.conf import settings
from django_tpq.futures.context import CurrentCall, current_call
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.registry import add_finder

__all__ = ["KIND", "BackendTask", "adapted"]

KIND = "django.tasks"
"""What the headers of such calls say they are."""
OF_DJANGO = 1
"""Receivers that each of its signals has from Django itself: they log."""


class BackendTask:
    """A task of Django's, to our dispatch and our runner."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.name = self.origin = task.module_path
        self.options = options_of(task)
        self.aliases: tuple[str, ...] = ()
        self.function = functools.partial(task.func, None) if task.takes_context else task.func
        self.headers: Mapping[str, Any] = {
            "kind": KIND,
            "keep": True,
            "backend": task.backend,
            "queue_name": task.queue_name,
            **({"run_after": task.run_after.isoformat()} if task.run_after else {}),
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, as part of the call that an executor has claimed."""
        call = current_call()
        assert call is not None  # noqa: S101 - only a runner calls us
        run = _Run(self.task, call, args, kwargs)
        run.tell(task_started)
        given = (TaskContext(task_result=run.result()), *args) if self.task.takes_context else args
        try:
            value = normalize_json(self.task.call(*given, **kwargs))
        except BaseException as error:
            if call.is_last_attempt:
                run.failed(error)
            raise
        run.succeeded(value)
        return value


class _Run:
    """One run, told to Django's signals."""

    def __init__(self, task: Any, call: CurrentCall, args: Any, kwargs: Any) -> None:
        self._task, self._call, self._args, self._kwargs = task, call, args, kwargs
        self._backend = task.get_backend()
        self._result: Any = None

    def result(self) -> Any:
        """The call as its table has it."""
        if self._result is None:
            self._result = self._backend.get_result(self._call.id)
        return self._result

    def tell(self, signal: Signal, **changes: Any) -> None:
        """Send a signal. For Django's own receivers, which log, what is known without a look is enough."""
        is_wanted = len(signal.receivers) > OF_DJANGO
        result = self.result() if is_wanted or self._result else self._outline()
        for name, value in changes.items():
            object.__setattr__(result, name, value)
        signal.send(sender=type(self._backend), task_result=result)

    def _outline(self) -> Any:
        return records.outline(
            self._task, self._call.id, self._args, self._kwargs, status=TaskResultStatus.RUNNING
        )

    def succeeded(self, value: Any) -> None:
        self.tell(
            task_finished,
            status=TaskResultStatus.SUCCESSFUL,
            finished_at=records.moment(timezone.now()),
            _return_value=value,
        )

    def failed(self, error: BaseException) -> None:
        """Within the `except` block: the receiver that logs asks for the exception that is handled."""
        so_far = self._result.errors if self._result else []
        self.tell(
            task_finished,
            status=TaskResultStatus.FAILED,
            finished_at=records.moment(timezone.now()),
            errors=[*so_far, records.error_of(error)],
        )


@functools.lru_cache(maxsize=1024)
def adapted(task: Any) -> BackendTask:
    """A task of Django's as one of ours."""
    return BackendTask(task)


def options_of(task: Any) -> TaskOptions:
    """Our options for it.

    Raises:
        TypeError, ValueError: one does not fit.
    """
    ours = {field.name for field in dataclasses.fields(TaskOptions)} - {
        "priority",
        "run_after",
        "codec",
        "queue",
    }
    extra = {f.name: getattr(task, f.name) for f in dataclasses.fields(task) if f.name in ours}
    given = {name: value for name, value in extra.items() if value is not None}
    queue = task.queue_name if task.queue_name in settings.QUEUES else "default"
    return TaskOptions(
        queue=queue, priority=int(task.priority), run_after=_aware(task.run_after), codec="json", **given
    )


def _aware(moment: datetime | None) -> datetime | None:
    return timezone.make_aware(moment) if moment is not None and timezone.is_naive(moment) else moment


def find(path: str) -> BackendTask:
    """The task at a path, for a call whose signature was right.

    Raises:
        ImportError: there is no such module, or nothing of that name in it.
        SuspiciousOperation: what is there is no task.
    """
    found = import_string(path)
    if not isinstance(found, Task):
        raise SuspiciousOperation(f"{path} is no task")
    return adapted(found)


add_finder(KIND, find)
