"""Assertions about what waits, whose failure says what is there instead."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from django_tpq.main.durations import Duration, seconds
from django_tpq.testing.databases import task_name
from django_tpq.testing.waiting import Enqueued, arguments, enqueued

__all__ = ["assert_enqueued", "assert_not_enqueued"]

SHOWN = 20
"""Calls that a failure lists at most."""
TOLERANCE = timedelta(seconds=1)
"""By how much a moment may differ: clocks do."""


def assert_enqueued(
    task: Any,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    count: int | None = None,
    queue: str | None = None,
    priority: int | None = None,
    delay: Duration | None = None,
    run_after: datetime | None = None,
) -> list[Enqueued]:
    """Assert that calls of a task wait; those that do.

    Args:
        task: the task, or its name.
        args, kwargs: its arguments, all of them, however they were given: `f(1, b=2)` is `f(1, 2)`. `mock.ANY` fits.
        count: how many; None: at least one.
        queue: the name of their queue.
        priority: exactly this one.
        delay: how long after it was enqueued it may run, in seconds or as a timedelta, to the second; 0: at once.
        run_after: the moment from which on it may run, with its time zone, to the second.

    Raises:
        AssertionError: they do not; its text says what waits instead, and what is different.
    """
    __tracebackhide__ = True  # for pytest: the line of the test is what counts
    wishes = list(_wishes(task, args, kwargs, queue, priority, delay, run_after))
    waiting = enqueued()
    name = task_name(task)
    found = [call for call in waiting if call.task == name and not _misses(call, wishes)]
    if len(found) == count or (count is None and found):
        return found
    raise AssertionError(_told(name, wishes, waiting, found, "1 or more" if count is None else str(count)))


def assert_not_enqueued(
    task: Any = None,
    *,
    args: Sequence[Any] | None = None,
    kwargs: Mapping[str, Any] | None = None,
    queue: str | None = None,
) -> None:
    """Assert that no call waits; with arguments: no such one. Without a task: none at all.

    Args:
        task, args, kwargs, queue: as of `assert_enqueued`.

    Raises:
        AssertionError: one does; its text lists them.
    """
    __tracebackhide__ = True
    if task is not None:
        assert_enqueued(task, args=args, kwargs=kwargs, queue=queue, count=0)
    elif found := enqueued(queue=queue):
        raise AssertionError("\n".join([f"{len(found)} calls wait, none was expected:", *_listed(found)]))


class _Wish(NamedTuple):
    """Something that a call is to have."""

    text: str
    misses: Callable[[Enqueued], str | None]
    """What is there instead; None: it fits."""


def _wishes(
    task: Any, args: Any, kwargs: Any, queue: Any, priority: Any, delay: Any, run_after: Any
) -> Iterable[_Wish]:
    if args is not None or kwargs is not None:
        yield _of_arguments(task, args or (), kwargs or {})
    if queue is not None:
        yield _equal("queue", queue, lambda call: call.queue)
    if priority is not None:
        yield _equal("priority", priority, lambda call: call.priority)
    if delay is not None:
        yield _near("delay", seconds(delay), _delay)
    if run_after is not None:
        yield _near("run_after", run_after, _due)


def _of_arguments(task: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Wish:
    wanted = arguments(task, args, kwargs)
    text = ", ".join([*map(repr, args), *(f"{name}={value!r}" for name, value in kwargs.items())])

    def misses(call: Enqueued) -> str | None:
        given = arguments(task, call.args, call.kwargs)
        # What is wanted stands on the left: mock.ANY is equal to whatever stands on its right.
        return None if wanted == given else f"arguments: {_difference(wanted, given)}"

    return _Wish(f"({text})", misses)


def _difference(wanted: Any, given: Any) -> str:
    """The arguments that differ, by their places and names."""
    told = [
        f"argument {place + 1} is {_at(given[0], place)}, not {_at(wanted[0], place)}"
        for place in range(max(len(wanted[0]), len(given[0])))
        if wanted[0][place : place + 1] != given[0][place : place + 1]
    ]
    names = dict.fromkeys([*wanted[1], *given[1]])
    told += [
        f"{name} is {_of(given[1], name)}, not {_of(wanted[1], name)}"
        for name in names
        if name not in wanted[1] or name not in given[1] or wanted[1][name] != given[1][name]
    ]
    return "; ".join(told)


def _at(values: Sequence[Any], place: int) -> str:
    return repr(values[place]) if place < len(values) else "missing"


def _of(values: Mapping[str, Any], name: str) -> str:
    return repr(values[name]) if name in values else "missing"


def _equal(name: str, wanted: Any, read: Callable[[Enqueued], Any]) -> _Wish:
    def misses(call: Enqueued) -> str | None:
        return None if wanted == read(call) else f"{name} is {read(call)!r}, not {wanted!r}"

    return _Wish(f"{name}={wanted!r}", misses)


def _near(name: str, wanted: Any, read: Callable[[Enqueued], Any]) -> _Wish:
    def misses(call: Enqueued) -> str | None:
        there = read(call)
        fits = there is not None and abs(there - wanted) <= TOLERANCE
        return None if fits else f"{name} is {_shown(there)}, not {_shown(wanted)}"

    return _Wish(f"{name}={_shown(wanted)}", misses)


def _shown(value: timedelta | datetime | None) -> str:
    """To the second."""
    if isinstance(value, timedelta):
        return str(timedelta(seconds=round(value.total_seconds())))
    return "at once" if value is None else value.isoformat(timespec="seconds")


def _delay(call: Enqueued) -> timedelta:
    return timedelta(0) if call.due_at is None else call.due_at - call.enqueued_at


def _due(call: Enqueued) -> datetime | None:
    due_at = call.due_at
    return timezone.make_aware(due_at) if due_at is not None and timezone.is_naive(due_at) else due_at


def _misses(call: Enqueued, wishes: Iterable[_Wish]) -> list[str]:
    return [text for wish in wishes if (text := wish.misses(call)) is not None]


def _told(
    name: str, wishes: Sequence[_Wish], waiting: Sequence[Enqueued], found: Sequence[Enqueued], count: str
) -> str:
    """The failure: what was wanted, and what waits."""
    wanted = " with " + ", ".join(wish.text for wish in wishes) if wishes else ""
    lines = [f"{count} calls of {name}{wanted} should wait, but there are {len(found)}"]
    alike = [call for call in waiting if call.task == name and call not in found]
    others = [call for call in waiting if call.task != name]
    if found:
        lines += ["These do:", *_listed(found)]
    if alike:
        lines += ["Of the task there wait:", *_listed(alike, wishes)]
    if others:
        lines += ["Of other tasks there wait:", *_listed(others)]
    return "\n".join(lines if waiting else [*lines, "Nothing waits at all."])


def _listed(calls: Sequence[Enqueued], wishes: Iterable[_Wish] = ()) -> list[str]:
    wishes, lines = list(wishes), []
    for call in calls[:SHOWN]:
        lines += [f"  {call}", *(f"      {text}" for text in _misses(call, wishes))]
    return [*lines, f"  … and {len(calls) - SHOWN} more"] if len(calls) > SHOWN else lines
