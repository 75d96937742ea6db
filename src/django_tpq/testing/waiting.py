"""What waits in the queues, in words that a test can compare."""

import inspect
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from django_tpq.futures import queues
from django_tpq.futures.calls import CallId, unpack
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.moments import ahead
from django_tpq.futures.registry import find
from django_tpq.testing.databases import queues_of, task_name

__all__ = ["Enqueued", "arguments", "enqueued"]


class Enqueued(NamedTuple):
    """A call that nobody has begun."""

    id: str
    """The id of its future."""
    task: str
    """The task's name."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    queue: str
    """The name of its queue."""
    priority: int
    enqueued_at: datetime
    due_at: datetime | None
    """When it may run; None: at once. By the clock of the test, where that was moved."""
    attempt: int
    """Its next attempt, from 1."""

    def __str__(self) -> str:
        given = [*map(repr, self.args), *(f"{name}={value!r}" for name, value in self.kwargs.items())]
        about = f"queue={self.queue!r}, priority={self.priority}"
        if self.due_at is not None:
            about += f", due {self.due_at.isoformat(timespec='seconds')}"
        return f"{self.task}({', '.join(given)})  [{about}]"


def enqueued(task: Any = None, *, queue: str | None = None) -> list[Enqueued]:
    """The calls that wait, in the order in which they would run; those for later come last.

    Args:
        task: of this task only (a task, or its name).
        queue: in this queue only.

    Raises:
        BadSignature: a call was not signed with the test's SECRET_KEY.
    """
    wanted = {} if task is None else {"task": task_name(task)}
    found = [call for name, alias in queues_of(queue) for call in _of_queue(name, alias, wanted)]
    return sorted(found, key=lambda call: call.due_at.timestamp() if call.due_at else float("-inf"))


def _of_queue(name: str, alias: str, wanted: dict[str, str]) -> Iterator[Enqueued]:
    rows = queues.manager(name).using(alias).filter(state__in=["ready", "waiting"], **wanted)
    for row in rows.order_by("-priority", "seq"):
        _, (args, kwargs) = unpack(name, row.token, row.task, bytes(row.payload))
        call, due_at = CallId(name, row.pk, row.token), row.due_at
        yield Enqueued(
            str(call),
            row.task,
            tuple(args),
            dict(kwargs),
            name,
            row.priority,
            row.enqueued_at + ahead.get(),
            None if due_at is None else due_at + ahead.get(),
            row.attempt + 1,
        )


def arguments(task: Any, args: Any, kwargs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arguments as the task's parameters get them: `f(1, b=2)` and `f(1, 2)` are alike."""
    try:
        known = find(task) if isinstance(task, str) else task
        function: Any = getattr(known, "function", None) or getattr(known, "func", known)
        bound = inspect.signature(function).bind(*args, **kwargs)
    except (UnknownTask, TypeError, ValueError):
        return tuple(args), dict(kwargs)
    bound.apply_defaults()
    return bound.args, bound.kwargs
