"""A task of Django's as one of ours: how it is sent, and how it runs in an executor."""

import dataclasses
import functools
import inspect
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.core.exceptions import SuspiciousOperation
from django.utils import timezone
from django.utils.module_loading import import_string

from django_tpq.backend.compat import Task
from django_tpq.backend.records import as_json
from django_tpq.backend.runs import Run
from django_tpq.backend.tasks import function_of
from django_tpq.conf import settings
from django_tpq.futures.context import current_call
from django_tpq.futures.deadlines import Interruption
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.registry import add_finder
from django_tpq.futures.retrying import final
from django_tpq.futures.verdicts import Snooze

__all__ = ["KIND", "BackendTask", "adapted", "options_of"]

KIND = "django.tasks"
"""What the headers of such calls say they are."""
DJANGOS = {"priority", "queue", "run_after", "delay", "codec", "result_ttl"}
"""What Django's tasks say by themselves, or what is the same for all of them."""
OURS = {field.name for field in dataclasses.fields(TaskOptions)} - DJANGOS
"""Our options that a task of Django's may have."""


class BackendTask:
    """A task of Django's, to our dispatch and our runner."""

    def __init__(self, task: Any) -> None:
        self.task = task
        self.name = self.origin = task.module_path
        self.options = options_of(task)
        self.aliases: tuple[str, ...] = ()
        self.function = function_of(task)
        executor = self.options.executor
        self.headers: Mapping[str, Any] = {
            "kind": KIND,
            "keep": True,
            "backend": task.backend,
            "queue_name": task.queue_name,
            **({"run_after": task.run_after.isoformat()} if task.run_after else {}),
            **({"executor": executor} if executor else {}),  # who has not imported the task needs to know
        }

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run it, as part of the call that an executor has claimed."""
        run = self._run(args, kwargs)
        run.started()
        value = self.task.call(*run.given(), **kwargs)
        if type(value) is Snooze:
            return value
        value = as_json(value)
        run.succeeded(value)
        return value

    async def acall(self, *args: Any, **kwargs: Any) -> Any:
        """As a call, in the event loop of an executor."""
        run = self._run(args, kwargs)
        await run.astarted()
        value = await self.task.acall(*await run.agiven(), **kwargs)
        if type(value) is Snooze:
            return value
        value = as_json(value)
        await run.asucceeded(value)
        return value

    def failed(self, args: Any, kwargs: Any, error: BaseException) -> None:
        """Tell that a run has failed for good; of what is ended from outside, only who ends it knows what it is."""
        if not isinstance(error, Interruption):
            self._run(args, kwargs).failed(final(error))

    async def afailed(self, args: Any, kwargs: Any, error: BaseException) -> None:
        """As `failed`."""
        await self._run(args, kwargs).afailed(final(error))

    def _run(self, args: Any, kwargs: Any) -> Run:
        return Run(self.task, current_call(), args, kwargs)


@functools.lru_cache(maxsize=1024)
def adapted(task: Any) -> BackendTask:
    """A task of Django's as one of ours."""
    return BackendTask(task)


def options_of(task: Any) -> TaskOptions:
    """Our options for it.

    Raises:
        TypeError, ValueError: one does not fit.
    """
    extra = {f.name: getattr(task, f.name) for f in dataclasses.fields(task) if f.name in OURS}
    given = {name: value for name, value in extra.items() if value is not None}
    is_async = inspect.iscoroutinefunction(task.func)
    if is_async and not given.get("atomic"):
        given.setdefault("executor", "async")
    queue = task.queue_name if task.queue_name in settings.QUEUES else "default"
    options = TaskOptions(
        queue=queue, priority=int(task.priority), run_after=_aware(task.run_after), codec="json", **given
    )
    if options.executor == "async" and not is_async:
        raise TypeError("executor='async' is for coroutine functions (async def)")
    return options


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
