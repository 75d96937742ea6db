"""A schedule that is due: the calls of its slots, and its next one, in the transaction that holds its lock."""

import contextlib
import functools
from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any, NamedTuple, cast

import psycopg
from django.conf import settings as project

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.appointments import bound, row_of, rule_of
from django_tpq.futures.calls import CallId
from django_tpq.futures.decorators import TaskFunction
from django_tpq.futures.dispatch import insert_on
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.registry import find, names
from django_tpq.futures.slots import jitter_of, plan, skipped_until
from tpq.own import cursor_of
from tpq.schedules import Entry
from tpq.session import impatient
from tpq.table import QueueTable

__all__ = ["BUSY", "CannotFollow", "Followed", "Task", "follow", "in_code", "task_of", "written"]

Task = TaskFunction[Any, Any]
NOT_AT_ALL = timedelta(0)
BUSY = timedelta(milliseconds=50)
"""How long an executor's loop, and all calls with it, waits for a lock that somebody else's transaction holds."""


class CannotFollow(Exception):
    """A schedule that this executor can not follow: the text says why."""


class Followed(NamedTuple):
    """What became of a schedule."""

    entry: Entry
    """Its row, moved on."""
    task: Task
    calls: list[CallId]


def in_code() -> Iterator[Task]:
    """The tasks that have a schedule in code, each once, whatever names it had."""
    tasks = (cast("Task", task) for name in names() if (task := find(name)).name == name)
    return (task for task in tasks if getattr(task, "schedule", None) is not None)


def written(task: Task, alias: str) -> dict[str, Any] | None:
    """The row of a schedule in code; None: the task's calls live in another database.

    Raises:
        ImproperlyConfigured: there is no such queue.
    """
    if task.schedule is None or _home(task.options.queue) != alias:
        return None
    return row_of(task.name, task.schedule, str(project.TIME_ZONE))


def task_of(entry: Entry, alias: str) -> Task:
    """The task of a schedule, as its calls are made.

    Raises:
        CannotFollow: there is none here.
    """
    try:
        task = _as_wished(cast("Task", find(entry.task)), entry.queue, entry.priority)
    except UnknownTask as error:
        raise CannotFollow(f"{error}; is its module imported (`tasks.py` of an installed app)?") from None
    if entry.source == "code":
        _require_in_code(entry.task, cast("Task", find(entry.task)))
    if (home := _home(task.options.queue)) != alias:
        raise CannotFollow(
            f"the queue {task.options.queue!r} is in the database {home!r}: a schedule must be where its calls are"
        )
    return task


def _require_in_code(name: str, task: Task) -> None:
    """Whether a schedule that stood in code still does, under this name."""
    if task.schedule is None:
        raise CannotFollow(
            f"the task {name!r} has no schedule in code any more: delete this row, or give it one"
        )
    if task.name != name:
        raise CannotFollow(
            f"the task {name!r} is {task.name!r} now, and so is its schedule, which has its own row: delete this one"
        )


def follow(
    entry: Entry, alias: str, connection: psycopg.Connection[Any], idle: timedelta = NOT_AT_ALL
) -> Followed:
    """Enqueue the calls of a locked schedule's due slots; its row as it is then.

    Args:
        idle: for how long from now nobody runs calls: slots that would overlap until then need not be waited for.

    Raises:
        CannotFollow, TypeError, ValueError: its row and its task do not fit; the text says why.
        ModuleNotFoundError: it is a cron expression, and what reads them is not installed.
        psycopg.errors.LockNotAvailable: somebody has the unique key of a call in a transaction that is still open.
    """
    task, rule = task_of(entry, alias), rule_of(entry)
    given = bound(task, entry.args, entry.kwargs)
    if entry.next_at is None:
        return Followed(entry._replace(next_at=rule.after(entry.now)), task, [])
    todo = plan(rule, entry.next_at.astimezone(UTC), entry.now.astimezone(UTC))
    entry = entry._replace(next_at=todo.next_at, skipped_at=todo.skipped or entry.skipped_at)
    table, calls = _table(task.options.queue, connection), []
    is_busy = rule.overlap == "skip" and _lives(entry.last_call, connection)
    with _impatient_for(task, table):
        for slot in todo.due:
            headers = {"slot": slot.isoformat()}
            call = (
                None if is_busy else insert_on(table, task, given, headers, jitter_of(rule, entry.name, slot))
            )
            if call is None:
                entry = entry._replace(skipped_at=slot)
            else:
                calls.append(call)
                entry = entry._replace(last_at=slot, last_call=str(call))
                is_busy = rule.overlap == "skip"
    if is_busy and idle > NOT_AT_ALL and entry.next_at is not None:
        rest = skipped_until(rule, entry.next_at.astimezone(UTC), entry.now.astimezone(UTC) + idle)
        entry = entry._replace(next_at=rest.next_at, skipped_at=rest.skipped or entry.skipped_at)
    return Followed(entry, task, calls)


def _impatient_for(task: Task, table: QueueTable[Any]) -> contextlib.AbstractContextManager[None]:
    """Who has a unique key in a transaction that is open is waited for, but the calls of an executor can not wait."""
    return impatient(table.cursor, BUSY) if task.options.unique is not None else contextlib.nullcontext()


def _lives(call: str, connection: psycopg.Connection[Any]) -> bool:
    """Whether a call has not ended."""
    if not call:
        return False
    queue, number, token = CallId.parse(call)
    if queue not in settings.QUEUES:
        return False
    state = _table(queue, connection).states([number], "token").get(number)
    return state is not None and state[0] != "dead" and state[-1] == token


def _table(queue: str, connection: psycopg.Connection[Any]) -> QueueTable[Any]:
    return QueueTable(queues.manager(queue).model._meta.db_table, cursor_of(connection), ("id",), tuple)


def _home(queue: str) -> str:
    return queues.manager(queue).db_for_queue


@functools.lru_cache(maxsize=1024)
def _as_wished(task: Task, queue: str, priority: int | None) -> Task:
    wishes: dict[str, Any] = {"queue": queue} if queue else {}
    if priority is not None:
        wishes["priority"] = priority
    return task.using(**wishes) if wishes else task
