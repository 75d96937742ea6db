"""The door in: every call enters here, one or many, in the caller's transaction."""

import functools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import repeat
from typing import Any

from django.db import connections

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.births import unborn as unborn_of
from django_tpq.futures.calls import CallId, new_token, new_tokens, packer
from django_tpq.futures.codecs import Codec, codec
from django_tpq.futures.future import Future
from django_tpq.futures.registry import Registered, find
from django_tpq.futures.results import ttl_of
from django_tpq.futures.signals import task_enqueued
from django_tpq.main.managers import QueueManager
from django_tpq.main.rows import own_fields, values

__all__ = ["dispatch", "dispatch_many"]

NOWHERE = {"__main__", "__console__", "builtins", "None", "django.core.management.commands.shell"}
"""What a function's module is called in scripts, shells and `manage.py shell`."""
OURS = ("task", "token", "payload")
"""The columns of every call."""
DEFAULT_DELIVERIES = 3
"""What the column says by itself, as it says priority 0."""


def dispatch(task: Registered, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Future[Any]:
    """Enqueue one call; its future."""
    manager, token, made_at = queues.manager(task.options.queue), new_token(), time.monotonic()
    columns, (row,) = _rows(task, manager, [(token, args, kwargs)])
    number = manager.door().put(dict(zip(columns, row, strict=True)), task.options.delay_duration)
    assert number is not None  # noqa: S101 - only a unique_key is ever refused
    return _futures(task, manager, [number], [token], made_at)[0]


def dispatch_many(task: Registered, calls: Iterable[Any]) -> list[Future[Any]]:
    """Enqueue many calls of one task in one go; their futures in order."""
    given = [_arguments(task, place, call) for place, call in enumerate(calls)]
    if not given:
        return []
    made_at = time.monotonic()
    manager, tokens = queues.manager(task.options.queue), new_tokens(len(given))
    columns, rows = _rows(task, manager, ((token, *call) for token, call in zip(tokens, given, strict=True)))
    numbers = manager.door().copy(columns, rows, len(rows), task.options.delay_duration)
    return _futures(task, manager, numbers, tokens, made_at)


def _futures(
    task: Registered,
    manager: QueueManager[Any],
    numbers: Sequence[int],
    tokens: Sequence[str],
    made_at: float,
) -> list[Future[Any]]:
    unborn = unborn_of(connections[manager.db_for_queue])
    calls = map(_call_id, zip(repeat(task.options.queue), numbers, tokens, strict=False))
    futures: list[Future[Any]] = [Future(call, unborn, task.name, made_at) for call in calls]
    if task_enqueued.receivers:
        for future in futures:
            task_enqueued.send_robust(sender=type(task), task=task.name, call=future.id)
    return futures


_call_id: Callable[[Any], CallId] = functools.partial(tuple.__new__, CallId)
"""As `CallId(…)`, in a third of the time."""


def _arguments(task: Registered, place: int, call: Any) -> tuple[Sequence[Any], Mapping[str, Any]]:
    if isinstance(call, tuple):
        return call, {}
    if isinstance(call, Mapping):
        return (), call
    raise TypeError(
        f"task {task.name}, call {place}: give a tuple of positional arguments or a dict of keyword arguments, "
        f"not a {type(call).__name__}"
    )


def _rows(
    task: Registered,
    manager: QueueManager[Any],
    calls: Iterable[tuple[str, Sequence[Any], Mapping[str, Any]]],
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The columns of calls, and a row for each."""
    if task.origin.rpartition(".")[0] in NOWHERE:
        raise TypeError(
            f"task {task.name} is defined in a script or shell, where executors can not import it: "
            "move it to a module, such as an app's tasks.py"
        )
    options, rows = task.options, []
    how = codec(options.codec or settings.CODEC)
    pack = packer(options.queue, task.name, how)
    same: dict[str, Any] = {"task": task.name}
    if options.priority:
        same["priority"] = options.priority
    if options.max_deliveries != DEFAULT_DELIVERIES:
        same["max_deliveries"] = options.max_deliveries
    if options.result_ttl != find(task.name).options.result_ttl:
        same["headers"] = json.dumps({"result_ttl": ttl_of(options, None).total_seconds()})
    for token, args, kwargs in calls:
        try:
            payload = pack(token, (tuple(args), dict(kwargs)))
        except Exception as error:  # pickling runs the arguments' own code, which may raise anything
            raise _unwritable(task, how, args, kwargs, error) from error
        rows.append((token, payload, *same.values()))
    columns = ("token", "payload", *same)
    if len(own_fields(manager.model)) == len(OURS):
        return columns, rows
    return _filled(manager, columns, rows)


def _filled(
    manager: QueueManager[Any], columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The rows with the defaults of the columns that a project has added to its queue."""
    connection, filled = connections[manager.db_for_queue], []
    for row in rows:
        ours = dict(zip(columns, row, strict=True))
        filled.append(values(manager.model, {name: ours[name] for name in OURS}, connection) | ours)
    return tuple(filled[0]), [tuple(row.values()) for row in filled]


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
