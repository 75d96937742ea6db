"""Which queues a test may use: a TestCase names its databases."""

from collections.abc import Iterator
from typing import Any

from django.db import connections
from django.test.testcases import DatabaseOperationForbidden  # type: ignore[attr-defined]  # missing in the stubs

from django_tpq.conf import settings
from django_tpq.futures import queues

__all__ = ["is_allowed", "queues_of", "task_name"]


def queues_of(queue: str | None) -> Iterator[tuple[str, str]]:
    """A queue and its database, or all those that the test may use.

    Raises:
        ImproperlyConfigured: TPQ_QUEUES has no such queue.
    """
    for name in sorted(settings.QUEUES) if queue is None else [queue]:
        alias = queues.manager(name).db_for_queue
        if queue is not None or is_allowed(alias):
            yield name, alias


def is_allowed(alias: str) -> bool:
    """Whether the test may use a database."""
    try:
        with connections[alias].cursor():
            return True
    except DatabaseOperationForbidden:
        return False


def task_name(task: Any) -> str:
    """The name of a task: ours, Django's, or the name itself.

    Raises:
        TypeError: it is no task.
    """
    name = task if isinstance(task, str) else getattr(task, "name", None)
    if not isinstance(task, str) and hasattr(task, "module_path"):
        name = task.module_path
    if not isinstance(name, str):
        raise TypeError(f"a task or the name of one is needed, not {task!r}")
    return name
