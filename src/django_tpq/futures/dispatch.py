"""The door in: every call enters here, one or many, in the caller's transaction."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connections

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.calls import CallId, new_token, pack
from django_tpq.futures.codecs import Codec, codec
from django_tpq.futures.future import Future, Unborn
from django_tpq.futures.registry import Registered
from django_tpq.futures.signals import task_enqueued
from django_tpq.main.managers import QueueManager
from django_tpq.main.rows import own_fields, values

__all__ = ["dispatch", "dispatch_many"]

NOWHERE = {"__main__", "__console__", "builtins", "None", "django.core.management.commands.shell"}
"""What a function's module is called in scripts, shells and `manage.py shell`."""
OURS = ("task", "token", "payload")
"""The columns of every call."""
DEFAULT_DELIVERIES = 3
"""What the column says by itself."""


def dispatch(task: Registered, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Future[Any]:
    """Enqueue one call; its future."""
    manager = queues.manager(task.options.queue)
    token = new_token()
    row = _filled(manager, _row(task, token, args, kwargs))
    number = manager.table().put(row, task.options.delay_duration)
    assert number is not None  # noqa: S101 - only a unique_key is ever refused
    future: Future[Any] = Future(
        CallId(task.options.queue, number, token), _unborn(manager.db_for_queue), task.name
    )
    _announce(task, [future])
    return future


def dispatch_many(task: Registered, calls: Iterable[Any]) -> list[Future[Any]]:
    """Enqueue many calls of one task in one go; their futures in order."""
    manager, tokens, rows = queues.manager(task.options.queue), [], []
    for place, call in enumerate(calls):
        args, kwargs = _arguments(task, place, call)
        tokens.append(new_token())
        rows.append(_filled(manager, _row(task, tokens[-1], args, kwargs)))
    if not rows:
        return []
    cells = (tuple(row.values()) for row in rows)
    numbers = manager.table().copy(tuple(rows[0]), cells, len(rows), task.options.delay_duration)
    unborn = _unborn(manager.db_for_queue)
    futures: list[Future[Any]] = [
        Future(CallId(task.options.queue, number, token), unborn, task.name)
        for number, token in zip(numbers, tokens, strict=True)
    ]
    _announce(task, futures)
    return futures


def _arguments(task: Registered, place: int, call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if isinstance(call, tuple):
        return call, {}
    if isinstance(call, Mapping):
        return (), call
    raise TypeError(
        f"task {task.name}, call {place}: give a tuple of positional arguments or a dict of keyword arguments, "
        f"not a {type(call).__name__}"
    )


def _row(task: Registered, token: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    if task.origin.rpartition(".")[0] in NOWHERE:
        raise TypeError(
            f"task {task.name} is defined in a script or shell, where executors can not import it: "
            "move it to a module, such as an app's tasks.py"
        )
    options = task.options
    how = codec(options.codec or settings.CODEC)
    try:
        payload = pack(options.queue, token, task.name, how, (tuple(args), dict(kwargs)))
    except Exception as error:  # pickling runs the arguments' own code, which may raise anything
        raise _unwritable(task, how, args, kwargs, error) from error
    row = {"task": task.name, "token": token, "payload": payload, "priority": options.priority}
    if options.max_deliveries != DEFAULT_DELIVERIES:
        row["max_deliveries"] = options.max_deliveries
    return row


def _filled(manager: QueueManager[Any], row: dict[str, Any]) -> dict[str, Any]:
    """The row with the defaults of the columns that a project has added to its queue."""
    if len(own_fields(manager.model)) == len(OURS):
        return row
    given = {name: row[name] for name in OURS}
    return values(manager.model, given, connections[manager.db_for_queue]) | row


def _unwritable(
    task: Registered, how: Codec, args: Sequence[Any], kwargs: Mapping[str, Any], error: Exception
) -> Exception:
    """Say which argument it was."""
    named = [(f"argument {place}", value) for place, value in enumerate(args, 1)]
    for name, value in [*named, *((f"argument {key!r}", value) for key, value in kwargs.items())]:
        try:
            how.dumps(value)
        except Exception as reason:  # noqa: BLE001 - as above
            kind = type(value).__name__
            return TypeError(
                f"task {task.name}: {name} (a {kind}) can not be written as {how.name}: {reason}"
            )
    return TypeError(f"task {task.name}: the arguments can not be written as {how.name}: {error}")


def _unborn(alias: str) -> Unborn | None:
    """What the future knows of the caller's open transaction; None outside of one."""
    connection = connections[alias]
    return Unborn(connection) if connection.in_atomic_block else None


def _announce(task: Registered, futures: Sequence[Future[Any]]) -> None:
    if task_enqueued.receivers:
        for future in futures:
            task_enqueued.send_robust(sender=type(task), task=task.name, call=future.id)
