"""The backend. Made once a thread, perhaps before the apps are ready: models are imported when a call needs them."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core import checks
from django.db import transaction

from django_tpq.backend import records
from django_tpq.backend.adapter import BackendTask, adapted, options_of
from django_tpq.backend.compat import (
    BaseTaskBackend,
    InvalidTask,
    TaskResultDoesNotExist,
    task_enqueued,
)
from django_tpq.backend.records import as_json
from django_tpq.backend.tasks import PostgreSQLTask, function_of
from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.calls import BadSignature, CallId, new_token
from django_tpq.futures.dispatch import insert, insert_many
from django_tpq.futures.errors import DuplicateCall
from django_tpq.futures.inlining import at_once
from django_tpq.futures.masking import require
from django_tpq.futures.uniqueness import require as require_parameters

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

__all__ = ["PostgreSQLBackend"]


class Enqueued(NamedTuple):
    """What became of a call that was to be enqueued."""

    result: Any
    is_new: bool
    """Whether it was; else the result is of one that was there before."""


class PostgreSQLBackend(BaseTaskBackend):
    """Tasks in PostgreSQL, run by `manage.py executor`."""

    task_class = PostgreSQLTask
    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def validate_task(self, task: Any) -> None:
        """As Django says, and our options.

        Raises:
            InvalidTask: it can not be one.
        """
        if isinstance(task.run_after, timedelta):
            raise InvalidTask(
                f"run_after must be a datetime, not a timedelta: timezone.now() + {task.run_after!r}"
            )
        super().validate_task(task)
        if "<" in task.func.__qualname__:  # Django lets a module's lambdas pass, which nobody can find again
            raise InvalidTask("Task function must be defined at a module level, with a name of its own.")
        try:
            options = options_of(task)
            require(task.func, options.secret)
            require_parameters(function_of(task), options.unique)
        except (TypeError, ValueError) as error:
            raise InvalidTask(str(error)) from error

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Enqueue a call, in the caller's transaction. Of a task with `unique` it may be one that was there before.

        Raises:
            InvalidTask: the backend can not run it.
            TypeError, ValueError: the arguments are no JSON.
            DuplicateCall: another has the key of a task with `unique`, and `on_duplicate` does not allow that.
        """
        self.validate_task(task)
        enqueued = _put(adapted(task), as_json(args), as_json(kwargs))
        self._tell([enqueued])
        return enqueued.result

    def enqueue_all(self, calls: Iterable[tuple[Any, Sequence[Any], Mapping[str, Any]]]) -> list[Any]:
        """Enqueue many calls, those of one task in one go; their results in order.

        Args:
            calls: each a task, its positional and its keyword arguments.

        Raises:
            As `enqueue`; then none of them was.
        """
        given = [(task, as_json(args), as_json(kwargs)) for task, args, kwargs in calls]
        groups: dict[Any, list[int]] = {}
        for place, (task, _, _) in enumerate(given):
            self.validate_task(task)
            groups.setdefault(adapted(task), []).append(place)
        enqueued: dict[int, Enqueued] = {}
        with transaction.atomic(using=queues.manager("default").db_for_queue):
            for ours, places in groups.items():
                arguments = [given[place][1:] for place in places]
                enqueued |= zip(places, _put_many(ours, arguments), strict=True)
        in_order = [enqueued[place] for place in range(len(given))]
        self._tell(in_order)
        return [each.result for each in in_order]

    def enqueue_on_commit(
        self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], using: str | None = None
    ) -> None:
        """Enqueue a call after the commit of the transaction that is open on a database; without one, at once.

        What is enqueued is part of the transaction of its queue's database anyway: this is for those of others.

        Args:
            using: the database's alias; None: the default one.

        Raises:
            InvalidTask, TypeError, ValueError: as `enqueue`, here and now.
        """
        self.validate_task(task)
        transaction.on_commit(
            functools.partial(self.enqueue, task, as_json(args), as_json(kwargs)), using=using
        )

    async def aenqueue_all(self, calls: Iterable[tuple[Any, Sequence[Any], Mapping[str, Any]]]) -> list[Any]:
        """As `enqueue_all`."""
        return await sync_to_async(self.enqueue_all, thread_sensitive=True)(calls)

    async def aenqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """As `enqueue`."""
        return await sync_to_async(self.enqueue, thread_sensitive=True)(task=task, args=args, kwargs=kwargs)

    def get_result(self, result_id: str) -> Any:
        """The result of an id, from any process.

        Raises:
            TaskResultDoesNotExist: there is none, or none of this backend, or its time is over.
        """
        call = _call(result_id)
        row, made = _found(call)
        if not isinstance(row.headers, dict) or row.headers.get("backend") != self.alias:
            raise TaskResultDoesNotExist(result_id)
        try:
            return made(row, call)
        except BadSignature as error:
            raise TaskResultDoesNotExist(f"{result_id}: {error}") from error

    def _tell(self, enqueued: Sequence[Enqueued]) -> None:
        results = [each.result for each in enqueued if each.is_new]
        for result in results:
            task_enqueued.send(type(self), task_result=result)
        if settings.INLINE:
            at_once([CallId.parse(result.id) for result in results])

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Whether the app is installed, and nothing is said that nobody reads."""
        found: list[CheckMessage] = list(super().check(**kwargs))
        if not apps.is_installed("django_tpq.futures"):
            hint = "Add django_tpq.main and django_tpq.futures to INSTALLED_APPS."
            text = f"TASKS[{self.alias!r}] needs the app django_tpq.futures."
            found.append(checks.Error(text, hint=hint, id="tpq_backend.E001"))
        if self.options:
            names = ", ".join(sorted(map(str, self.options)))
            text = f"TASKS[{self.alias!r}]['OPTIONS'] has no effect: {names}."
            hint = "It takes none: options of a task go to its decorator, those of the project are TPQ_… settings."
            found.append(checks.Warning(text, hint=hint, id="tpq_backend.W001"))
        return found


def _put(ours: BackendTask, args: Any, kwargs: Any) -> Enqueued:
    token = new_token()
    call, (enqueued_at,) = insert(ours, args, kwargs, ("enqueued_at",), token)
    if call.token != token:
        return Enqueued(_holder(ours, call), is_new=False)
    return _new(ours, call, enqueued_at, args, kwargs)


def _holder(ours: BackendTask, call: CallId) -> Any:
    """The result of the call that has the key of another."""
    try:
        row, made = _found(call)
    except TaskResultDoesNotExist:
        text = f"task {ours.name}: the call {call} holds the key, though nothing else is left of it"
        raise DuplicateCall(text) from None
    return made(row, call)


def _put_many(ours: BackendTask, given: Sequence[tuple[Any, Any]]) -> Iterator[Enqueued]:
    if ours.options.unique is not None:
        yield from (_put(ours, *arguments) for arguments in given)
        return
    calls = list(insert_many(ours, given))
    rows = queues.manager(ours.options.queue).filter(pk__in=[call.number for call in calls])
    moments = dict(rows.values_list("pk", "enqueued_at"))
    for call, arguments in zip(calls, given, strict=True):
        yield _new(ours, call, moments[call.number], *arguments)


def _new(ours: BackendTask, call: CallId, enqueued_at: Any, args: Any, kwargs: Any) -> Enqueued:
    moment = records.moment(enqueued_at)
    return Enqueued(records.outline(ours.task, str(call), args, kwargs, enqueued_at=moment), is_new=True)


def _found(call: CallId) -> tuple[Any, Callable[[Any, CallId], Any]]:
    """A call's row, wherever it is, and what makes a result of it.

    Raises:
        TaskResultDoesNotExist: there is none.
    """
    for rows, made in ((_rows(call), records.of_row), (_finished(call), records.of_finished)):
        if (row := rows.first()) is not None:
            return row, made
    raise TaskResultDoesNotExist(str(call))


def _call(result_id: Any) -> CallId:
    try:
        return CallId.parse(result_id)
    except (TypeError, ValueError):
        raise TaskResultDoesNotExist(result_id) from None


def _rows(call: CallId) -> Any:
    if call.queue not in settings.QUEUES:
        raise TaskResultDoesNotExist(str(call))
    manager = queues.manager(call.queue)
    return manager.using(manager.db_for_queue).filter(pk=call.number, token=call.token)


def _finished(call: CallId) -> Any:
    from django_tpq.futures.models import Finished  # noqa: PLC0415 - not before the apps are ready

    manager = queues.manager(call.queue)
    return Finished.objects.using(manager.db_for_queue).filter(token=call.token, number=call.number)
