"""The door in for calls of which there may be only one at a time."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_tpq.futures.calls import CallId
from django_tpq.futures.errors import DuplicateCall
from django_tpq.futures.registry import Registered
from django_tpq.futures.signing import SIZE
from django_tpq.futures.uniqueness import key_of
from django_tpq.main.managers import QueueManager

__all__ = ["insert_once"]

TRIES = 100
"""How often another call may have come or gone just between two looks."""


def insert_once(
    manager: QueueManager[Any],
    wrapper: BaseDatabaseWrapper,
    task: Registered,
    values: Mapping[str, Any],
    arguments: tuple[Any, Any],
    returning: tuple[str, ...],
) -> tuple[CallId, tuple[Any, ...]]:
    """Enqueue a call unless another has its key; the id of the one that there is then, and more columns of its row.

    Raises:
        DuplicateCall: there is another, and the task's `on_duplicate` says so, or it runs already.
    """
    options, columns = task.options, ("id", "token", *returning)
    function = getattr(task, "function", task)
    key = key_of(task.name, function, options.unique, *arguments, values["payload"][SIZE:])
    row = None
    for _ in range(TRIES):
        if options.on_duplicate == "replace":
            row = _replace(manager, wrapper, {**values, "unique_key": key}, options.due, columns)
        else:
            row = manager.door(wrapper).put_row(
                {**values, "unique_key": key}, options.due, columns, unique=True
            )
        if row is not None:
            break
        row = _living(manager, key).values_list(*columns, "state").first()
        if row is not None and (options.on_duplicate != "replace" or row[-1] == "claimed"):
            _refuse(task, key, CallId(options.queue, row[0], row[1]))
            row = row[:-1]
            break
        row = None
    if row is None:
        raise DuplicateCall(
            f"task {task.name}: calls with the key {key!r} come and go too quickly to be told apart"
        )
    return CallId(options.queue, row[0], row[1]), tuple(row[2:])


def _replace(
    manager: QueueManager[Any],
    wrapper: BaseDatabaseWrapper,
    values: Mapping[str, Any],
    due: Any,
    columns: Any,
) -> tuple[Any, ...] | None:
    with transaction.atomic(using=wrapper.alias):
        waiting = _living(manager, values["unique_key"]).filter(state__in=["ready", "waiting"])
        waiting._raw_delete(wrapper.alias)
        return manager.door(wrapper).put_row(values, due, columns, unique=True)


def _living(manager: QueueManager[Any], key: str) -> Any:
    return manager.using(manager.db_for_queue).filter(unique_key=key).exclude(state="dead")


def _refuse(task: Registered, key: str, other: CallId) -> None:
    if task.options.on_duplicate == "error":
        raise DuplicateCall(f"task {task.name}: the call {other} has the key {key!r} already")
    if task.options.on_duplicate == "replace":
        raise DuplicateCall(
            f"task {task.name}: the call {other} with the key {key!r} runs already and can not be replaced"
        )
