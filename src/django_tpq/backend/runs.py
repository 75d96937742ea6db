"""One run of a task of Django's, told to Django's signals."""

import logging
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError, close_old_connections
from django.dispatch import Signal
from django.utils import timezone

from django_tpq.backend import records
from django_tpq.backend.compat import TaskContext, TaskResultStatus, task_finished, task_started
from django_tpq.futures.context import CurrentCall

__all__ = ["Run"]

logger = logging.getLogger("django_tpq.runner")

OF_DJANGO = 1
"""Receivers that each of its signals has from Django itself: they log."""


class Run:
    """One run. Its `a`-methods are for an event loop: what may ask the database, or is the project's, goes to a thread.

    Args:
        task: Django's.
        call: what runs.
        args, kwargs: its arguments.
    """

    def __init__(self, task: Any, call: CurrentCall, args: Any, kwargs: Any) -> None:
        self._task, self._call, self._args, self._kwargs = task, call, args, kwargs
        self._backend = task.get_backend()
        self._result: Any = None

    # What it is given -------------------------------------------------------------------------------------

    def given(self) -> Any:
        """The positional arguments, the context before them if the task takes it."""
        return (
            (TaskContext(task_result=self._seen()), *self._args) if self._task.takes_context else self._args
        )

    async def agiven(self) -> Any:
        """As `given`."""
        return await _in_thread(self.given) if self._task.takes_context else self._args

    # What is told of it -----------------------------------------------------------------------------------

    def started(self) -> None:
        """It begins."""
        self._tell(task_started)

    async def astarted(self) -> None:
        """As `started`."""
        await self._atell(task_started)

    def succeeded(self, value: Any) -> None:
        """It has returned."""
        self._tell(task_finished, **_success(value))

    async def asucceeded(self, value: Any) -> None:
        """As `succeeded`."""
        await self._atell(task_finished, **_success(value))

    def failed(self, error: BaseException) -> None:
        """It has failed for good. Raises nothing.

        Within the `except` block: the receiver that logs asks for the exception that is handled.
        """
        try:
            errors = [*self._for_all(task_finished).errors, records.error_of(error)]
            self._tell(task_finished, status=TaskResultStatus.FAILED, finished_at=_now(), errors=errors)
        except Exception:
            logger.exception(
                "call %s of %s has failed, and so did telling it", self._call.id, self._call.task
            )

    async def afailed(self, error: BaseException) -> None:
        """As `failed`."""
        await _in_thread(self.failed, error) if _is_heard(task_finished) else self.failed(error)

    # ------------------------------------------------------------------------------------------------------

    def _tell(self, signal: Signal, **changes: Any) -> None:
        result = self._for_all(signal)
        for name, value in changes.items():
            object.__setattr__(result, name, value)
        signal.send(sender=type(self._backend), task_result=result)

    async def _atell(self, signal: Signal, **changes: Any) -> None:
        if _is_heard(signal):
            await _in_thread(self._tell, signal, **changes)
        else:
            self._tell(signal, **changes)

    def _for_all(self, signal: Signal) -> Any:
        """What a signal tells: for Django's own receivers, which log, what is known without a look is enough."""
        return self._seen() if self._result or _is_heard(signal) else self._outline()

    def _seen(self) -> Any:
        """The call as its table has it; in a transaction that has failed, what is known without a look."""
        if self._result is None:
            try:
                self._result = self._backend.get_result(self._call.id)
            except DatabaseError:
                return self._outline()
        return self._result

    def _outline(self) -> Any:
        status = TaskResultStatus.RUNNING
        return records.outline(self._task, self._call.id, self._args, self._kwargs, status=status)


def _success(value: Any) -> dict[str, Any]:
    return {"status": TaskResultStatus.SUCCESSFUL, "finished_at": _now(), "_return_value": value}


def _now() -> Any:
    return records.moment(timezone.now())


def _is_heard(signal: Signal) -> bool:
    """Whether anybody but Django itself listens."""
    return len(signal.receivers) > OF_DJANGO


async def _in_thread(function: Any, *args: Any, **kwargs: Any) -> Any:
    """Call synchronous code of Django's, in the thread that an event loop has for it."""

    def call() -> Any:
        close_old_connections()
        try:
            return function(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(call)()
