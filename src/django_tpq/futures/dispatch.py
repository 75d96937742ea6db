"""The door in: every call enters here, one or many, in the caller's transaction."""

import functools
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from itertools import repeat
from typing import Any, NamedTuple

from django.conf import settings as project
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

from django_tpq.conf import settings
from django_tpq.futures import births, queues
from django_tpq.futures.arguments import signature_of
from django_tpq.futures.calls import CallId, new_token, new_tokens, packer
from django_tpq.futures.carried import carried, expiry
from django_tpq.futures.codecs import Codec, codec, usual
from django_tpq.futures.future import Future
from django_tpq.futures.inlining import at_once
from django_tpq.futures.masking import named
from django_tpq.futures.once import hold, insert_once
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.registry import Registered, find
from django_tpq.futures.signals import task_enqueued
from django_tpq.futures.uniqueness import key_of
from django_tpq.main.managers import QueueManager
from django_tpq.main.rows import own_fields, values
from tpq.entrance import Entrance
from tpq.keys import KeyTable

__all__ = ["dispatch", "dispatch_many", "insert", "insert_many", "insert_on"]

NOWHERE = {"__main__", "__console__", "builtins", "None", "django.core.management.commands.shell"}
"""What a function's module is called in scripts, shells and `manage.py shell`."""
OURS = ("task", "token", "payload")
"""The columns of every call."""
DEFAULT_DELIVERIES = 3
"""What the column says by itself, as it says priority 0."""


def dispatch(task: Registered, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Future[Any]:
    """Enqueue one call; its future."""
    if task.options.unique is not None:
        future = _made_once(task, args, kwargs)
    else:
        made_at = time.monotonic()
        call, _ = insert(task, args, kwargs)
        future = Future(call, births.unborn(_wrapper(task)), task.name, made_at)
    _announced(task, future)
    if settings.INLINE:
        at_once([future._call])
    return future


def _made_once(task: Registered, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Future[Any]:
    """The future of one call of a task with `unique`: of a new one, or of the one that has the key."""
    made_at, token = time.monotonic(), new_token()
    call, _ = insert(task, args, kwargs, token=token)
    if call.token == token:
        return Future(call, births.unborn(_wrapper(task), token), task.name, made_at)
    return Future(call, births.unborn_of(_wrapper(task), call.token), task.name)


def _wrapper(task: Registered) -> BaseDatabaseWrapper:
    return connections[queues.manager(task.options.queue).db_for_queue]


def insert(
    task: Registered,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    returning: tuple[str, ...] = (),
    token: str | None = None,
) -> tuple[CallId, tuple[Any, ...]]:
    """Enqueue one call; its id, and more columns of its row. If it has another token than the one given, it is the id
    of a call that was there before, which has the unique key."""
    token, options = token or new_token(), task.options
    manager = queues.manager(options.queue)
    wrapper = connections[manager.db_for_queue]
    columns, (row,) = _rows(task, manager, [(token, args, kwargs)])
    values = dict(zip(columns, row, strict=True))
    if options.unique is not None:
        return insert_once(manager, wrapper, task, values, (args, kwargs), returning)
    number, *more = manager.door(wrapper).put_row(values, options.due, ("id", *returning)) or ()
    return _call_id((options.queue, number, token)), tuple(more)


def insert_on(
    table: Entrance,
    task: Registered,
    given: tuple[Sequence[Any], Mapping[str, Any]],
    headers: Mapping[str, Any],
    delay: timedelta,
) -> CallId | None:
    """Enqueue one call on a connection of our own, in its transaction; None: another call has its unique key.

    Args:
        table: that of the task's queue, on the connection.
        given: the positional and the keyword arguments.
        headers: what it carries beside its options.
        delay: what is added to the task's own.
    """
    options, token = task.options, new_token()
    columns, (row,) = _rows(task, queues.manager(options.queue), [(token, *given)])
    values = dict(zip(columns, row, strict=True))
    values["headers"] = json.dumps({**json.loads(values.get("headers", "{}")), **headers})
    is_unique = options.unique is not None
    if is_unique:
        function = getattr(task, "function", task)
        values["unique_key"] = key_of(task.name, function, options.unique, *given)
        if options.unique_for is not None and KeyTable(table.cursor).holder(values["unique_key"]):
            return None
    due = (options.due or timedelta(0)) + delay
    number = table.put(values, due, unique=is_unique)
    if number is None:
        return None
    call = CallId(options.queue, number, token)
    if options.unique_for is not None:
        hold(table.cursor, options, values["unique_key"], call, force=True)
    return call


def dispatch_many(task: Registered, calls: Iterable[Any]) -> list[Future[Any]]:
    """Enqueue many calls of one task in one go; their futures in order."""
    given = [_arguments(task, place, call) for place, call in enumerate(calls)]
    if not given:
        return []
    if task.options.unique is not None:
        futures = [_made_once(task, *call) for call in given]
    else:
        made_at, name = time.monotonic(), task.name
        ids = insert_many(task, given)
        unborn = births.unborn(_wrapper(task))
        futures = [Future(call, unborn, name, made_at) for call in ids]
    if task_enqueued.receivers:
        for future in futures:
            _announced(task, future)
    if settings.INLINE:
        at_once([future._call for future in futures])
    return futures


def insert_many(
    task: Registered, given: Sequence[tuple[Sequence[Any], Mapping[str, Any]]]
) -> Iterable[CallId]:
    """Enqueue many calls of one task without `unique` in one go; their ids in order."""
    tokens, queue = new_tokens(len(given)), task.options.queue
    manager = queues.manager(queue)
    wrapper = connections[manager.db_for_queue]
    columns, rows = _rows(task, manager, ((token, *call) for token, call in zip(tokens, given, strict=False)))
    numbers = manager.door(wrapper).copy(columns, rows, len(rows), task.options.due)
    return map(_call_id, zip(repeat(queue), numbers, tokens, strict=False))


def _announced(task: Registered, future: Future[Any]) -> Future[Any]:
    if task_enqueued.receivers:
        task_enqueued.send_robust(sender=type(task), task=task.name, call=future.id)
    return future


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


class _Form(NamedTuple):
    """What all calls of a task have in common, in one queue."""

    columns: tuple[str, ...]
    codec: Codec
    pack: Callable[[str, Any], bytes]
    same: tuple[Any, ...]
    """The values of the columns behind `token` and `payload`."""


def _rows(
    task: Registered,
    manager: QueueManager[Any],
    calls: Iterable[tuple[str, Sequence[Any], Mapping[str, Any]]],
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The columns of calls, and a row for each."""
    columns, how, pack, same = _form(
        task,
        task if task.headers else find(task.name),
        settings.CODEC,
        settings.RESULT_TTL,
        project.SECRET_KEY,
    )
    if task.options.expires is not None:
        same = (*same[:-1], json.dumps(json.loads(same[-1]) | expiry(task.options)))
    rows, limit = [], settings.MAX_PAYLOAD
    for token, args, kwargs in calls:
        try:
            payload = pack(token, (tuple(args), dict(kwargs)))
        except Exception as error:  # noqa: BLE001 - pickling runs the arguments' own code, which may raise anything
            raise _unwritable(task, how, args, kwargs, error) from (None if task.options.secret else error)
        if len(payload) > limit:
            raise ValueError(
                f"task {task.name}: the arguments take {len(payload):,} bytes, more than TPQ_MAX_PAYLOAD ({limit:,}): "
                "keep them where the task can read them, and pass the place"
            )
        rows.append((token, payload, *same))
    if len(own_fields(manager.model)) == len(OURS):
        return columns, rows
    return _filled(manager, columns, rows)


@functools.lru_cache(maxsize=1024)
def _form(task: Any, registered: Any, *_settings: object) -> _Form:
    if task.origin.rpartition(".")[0] in NOWHERE:
        raise TypeError(
            f"task {task.name} is defined in a script or shell, where executors can not import it: "
            "move it to a module, such as an app's tasks.py"
        )
    options = task.options
    how = codec(options.codec) if options.codec else usual()
    same: dict[str, Any] = {"task": task.name}
    if options.priority:
        same["priority"] = options.priority
    if options.max_attempts != 1:
        same["max_attempts"] = options.max_attempts
    if options.max_deliveries != DEFAULT_DELIVERIES:
        same["max_deliveries"] = options.max_deliveries
    if options.lane:
        same["lane"] = options.lane
    if (headers := _headers(task, registered.options)) or options.expires is not None:
        same["headers"] = json.dumps(headers)
    pack = packer(options.queue, task.name, how)
    return _Form(("token", "payload", *same), how, pack, tuple(same.values()))


def _headers(task: Registered, of_task: TaskOptions) -> dict[str, Any]:
    try:
        return {**task.headers, **carried(task.options, of_task)}
    except TypeError as error:
        raise TypeError(f"task {task.name}: {error}") from None


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
    """Say which argument it was; of a secret one, not what its own code says of it."""
    secret = task.options.secret
    for place, argument in enumerate(named(signature_of(task), secret, args, kwargs), 1):
        try:
            how.dumps(argument.value)
        except Exception as reason:  # noqa: BLE001 - as above
            name, kind = argument.name or place, type(argument.value).__name__
            why = "(secret: not said why)" if argument.is_secret else reason
            return TypeError(
                f"task {task.name}: argument {name!r} (a {kind}) can not be written as {how.name}: {why}"
            )
    why = "(some are secret: not said why)" if secret else error
    return TypeError(f"task {task.name}: the arguments can not be written as {how.name}: {why}")
