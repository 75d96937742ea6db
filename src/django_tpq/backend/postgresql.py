"""The backend. Made once a thread, perhaps before the apps are ready: models are imported when a call needs them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asgiref.sync import sync_to_async
from django.apps import apps
from django.core.checks import Error
from django.db import transaction

from django_tpq.backend import records
from django_tpq.backend.adapter import BackendTask, adapted, options_of
from django_tpq.backend.compat import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResultDoesNotExist,
    normalize_json,
    task_enqueued,
)
from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.calls import CallId
from django_tpq.futures.dispatch import insert, insert_many
from django_tpq.futures.inlining import at_once
from django_tpq.futures.masking import require

if TYPE_CHECKING:
    from django.core.checks import CheckMessage

__all__ = ["PostgreSQLBackend", "PostgreSQLTask"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLTask(Task):  # type: ignore[type-arg]
    """A task with options of ours: `@task(max_attempts=3)` on Django 6.1 and with the backport."""

    max_attempts: int = 1
    """Runs that may fail before it is given up."""
    backoff: Any = None
    """As of `django_tpq.futures.task`; None: its default."""
    retry_on: Any = None
    give_up_on: Any = None
    max_deliveries: int = 3
    """Executors that may die under a call before it is given up."""
    secret: tuple[str, ...] = ()
    """The parameters whose arguments are never shown."""


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
        super().validate_task(task)
        try:
            require(task.func, options_of(task).secret)
        except (TypeError, ValueError) as error:
            raise InvalidTask(str(error)) from error

    def enqueue(self, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        """Enqueue a call, in the caller's transaction.

        Raises:
            InvalidTask: the backend can not run it.
            TypeError, ValueError: the arguments are no JSON.
        """
        self.validate_task(task)
        arguments = _json(args), _json(kwargs)
        call, (enqueued_at,) = insert(adapted(task), *arguments, returning=("enqueued_at",))
        result = records.outline(task, str(call), *arguments, enqueued_at=records.moment(enqueued_at))
        task_enqueued.send(type(self), task_result=result)
        if settings.INLINE:
            at_once([call])
        return result

    def enqueue_all(self, calls: Iterable[tuple[Any, Sequence[Any], Mapping[str, Any]]]) -> list[Any]:
        """Enqueue many calls, those of one task in one go; their results in order.

        Args:
            calls: each a task, its positional and its keyword arguments.

        Raises:
            As `enqueue`; then none of them was.
        """
        given = [(task, _json(args), _json(kwargs)) for task, args, kwargs in calls]
        groups: dict[Any, list[int]] = {}
        for place, (task, _, _) in enumerate(given):
            self.validate_task(task)
            groups.setdefault(adapted(task), []).append(place)
        results: dict[int, Any] = {}
        with transaction.atomic(using=queues.manager("default").db_for_queue):
            for ours, places in groups.items():
                results |= zip(places, _enqueued(ours, [given[place] for place in places]), strict=True)
        for place in range(len(given)):
            task_enqueued.send(type(self), task_result=results[place])
        if settings.INLINE:
            at_once([CallId.parse(results[place].id) for place in range(len(given))])
        return [results[place] for place in range(len(given))]

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
        for rows, made in ((_rows(call), records.of_row), (_finished(call), records.of_finished)):
            row = rows.first()
            if row is not None and isinstance(row.headers, dict) and row.headers.get("backend") == self.alias:
                return made(row, call)
        raise TaskResultDoesNotExist(result_id)

    def check(self, **kwargs: Any) -> list[CheckMessage]:
        """Whether the app is installed."""
        found: list[CheckMessage] = list(super().check(**kwargs))
        if not apps.is_installed("django_tpq.futures"):
            hint = "Add django_tpq.main and django_tpq.futures to INSTALLED_APPS."
            found.append(
                Error(
                    f"TASKS[{self.alias!r}] needs the app django_tpq.futures.",
                    hint=hint,
                    id="tpq_backend.E001",
                )
            )
        return found


def _enqueued(ours: BackendTask, given: Sequence[tuple[Any, Any, Any]]) -> Iterator[Any]:
    calls = list(insert_many(ours, [(args, kwargs) for _, args, kwargs in given]))
    rows = queues.manager(ours.options.queue).filter(pk__in=[call.number for call in calls])
    moments = dict(rows.values_list("pk", "enqueued_at"))
    for (task, args, kwargs), call in zip(given, calls, strict=True):
        moment = records.moment(moments[call.number])
        yield records.outline(task, str(call), args, kwargs, enqueued_at=moment)


def _json(value: Any) -> Any:
    """As it will be read."""
    return json.loads(json.dumps(normalize_json(value), allow_nan=False))


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
