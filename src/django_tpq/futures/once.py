"""The door in for calls of which there may be only one at a time."""

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_tpq.futures.calls import CallId
from django_tpq.futures.cancellation import tell
from django_tpq.futures.errors import CallCancelled, DuplicateCall
from django_tpq.futures.moments import ahead
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.registry import Registered
from django_tpq.futures.uniqueness import key_of
from django_tpq.main.durations import seconds
from django_tpq.main.managers import QueueManager
from tpq.entrance import Cursor
from tpq.keys import KeyTable

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
    function = getattr(task, "function", task)
    key = key_of(task.name, function, task.options.unique, *arguments)
    if task.options.unique_for is None:
        return _insert(manager, wrapper, task, {**values, "unique_key": key}, returning)[:2]
    try:
        with transaction.atomic(using=wrapper.alias):
            call, more, has_replaced = _insert(
                manager, wrapper, task, {**values, "unique_key": key}, returning
            )
            if call.token == values["token"]:
                hold(wrapper.cursor, task.options, key, call, force=has_replaced)
    except _Held as held:
        _refuse(task, key, held.call, "was made not long ago")
        return held.call, (None,) * len(returning)
    return call, more


class _Held(Exception):
    """A call holds the key whose period is not over."""

    def __init__(self, call: CallId) -> None:
        self.call = call


def hold(cursor: Cursor, options: TaskOptions, key: str, call: CallId, *, force: bool) -> None:
    """Hold a key for the task's period.

    Raises:
        _Held: another call does.
    """
    assert options.unique_for is not None  # noqa: S101 - asked before
    table = KeyTable(cursor, ahead.get())
    while not table.take(key, call, seconds(options.unique_for), force=force):
        if other := table.holder(key):  # else its period has ended just now
            raise _Held(CallId(*other))


def _insert(
    manager: QueueManager[Any],
    wrapper: BaseDatabaseWrapper,
    task: Registered,
    values: Mapping[str, Any],
    returning: tuple[str, ...],
) -> tuple[CallId, tuple[Any, ...], bool]:
    """As `insert_once`, among those that have not ended; and whether one was replaced."""
    options, columns, key = task.options, ("id", "token", *returning), values["unique_key"]
    row, has_replaced = None, False
    for _ in range(TRIES):
        if options.on_duplicate == "replace":
            row, has_replaced = _replace(manager, wrapper, task, values, columns)
        else:
            row = manager.door(wrapper).put_row(values, options.due, columns, unique=True)
        if row is not None:
            break
        row = _living(manager, key).values_list(*columns, "state").first()
        if row is not None and (options.on_duplicate != "replace" or row[-1] == "claimed"):
            _refuse(task, key, CallId(options.queue, row[0], row[1]), "runs already")
            row = row[:-1]
            break
        row = None
    if row is None:
        raise DuplicateCall(
            f"task {task.name}: calls with the key {key!r} come and go too quickly to be told apart"
        )
    return CallId(options.queue, row[0], row[1]), tuple(row[2:]), has_replaced


def _replace(
    manager: QueueManager[Any],
    wrapper: BaseDatabaseWrapper,
    task: Registered,
    values: Mapping[str, Any],
    columns: Any,
) -> tuple[tuple[Any, ...] | None, bool]:
    with transaction.atomic(using=wrapper.alias):
        waiting = _living(manager, values["unique_key"]).filter(state__in=["ready", "waiting"])
        others = dict(waiting.select_for_update().values_list("pk", "token"))
        waiting.filter(pk__in=others)._raw_delete(wrapper.alias)
        row = manager.door(wrapper).put_row(values, task.options.due, columns, unique=True)
        if row is not None:
            new = CallId(task.options.queue, row[0], row[1])
            for number, token in others.items():
                old = CallId(task.options.queue, number, token)
                tell(
                    wrapper.alias, token, CallCancelled(f"task {task.name}: call {old} was replaced by {new}")
                )
        return row, bool(others)


def _living(manager: QueueManager[Any], key: str) -> Any:
    return manager.using(manager.db_for_queue).filter(unique_key=key).exclude(state="dead")


def _refuse(task: Registered, key: str, other: CallId, why: str) -> None:
    if task.options.on_duplicate == "error":
        raise DuplicateCall(f"task {task.name}: the call {other} has the key {key!r} already")
    if task.options.on_duplicate == "replace":
        raise DuplicateCall(
            f"task {task.name}: the call {other} with the key {key!r} {why} and can not be replaced"
        )
