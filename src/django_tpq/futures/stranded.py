"""Stranded calls: those that are queued, and that this release could not run. Asked before a deploy."""

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import Q

from django_tpq.futures import queues
from django_tpq.futures.arguments import signature_of, task_of
from django_tpq.futures.calls import BadSignature, CallId, unpack
from django_tpq.futures.codecs import RefusedCodec
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.registry import find, finder
from tpq import State

__all__ = ["Stranded", "report", "stranded", "unknown", "why_not"]

BATCH = 200
"""Calls that are read at once, with their arguments."""
EXAMPLES = 3
LOOK = 10_000
"""Calls of each queue that `unknown` looks at, the oldest: they are of the oldest release."""
UNKNOWN = "no task of this name is known here"
COLUMNS = ("pk", "task", "token", "payload", "headers", "enqueued_at")


class Stranded(NamedTuple):
    """Calls of one task that can not be run for one reason."""

    queue: str
    task: str
    why: str
    number: int
    oldest: datetime
    examples: list[str]
    """The ids of some."""

    @property
    def is_unknown(self) -> bool:
        """Whether it is the task that is missing: then they wait, and are not lost."""
        return self.why == UNKNOWN


class _Counted:
    """What was found, and how many calls were looked at."""

    def __init__(self) -> None:
        self.seen = 0
        self._found: dict[tuple[str, str, str], Stranded] = {}

    def add(self, queue: str, call: Any) -> None:
        self.seen += 1
        if why := why_not(queue, call):
            key = queue, call.task, why
            known = self._found.get(key) or Stranded(*key, 0, call.enqueued_at, [])
            if known.number < EXAMPLES:
                known.examples.append(str(CallId(queue, call.pk, call.token)))
            oldest = min(known.oldest, call.enqueued_at)
            self._found[key] = known._replace(number=known.number + 1, oldest=oldest)

    @property
    def stranded(self) -> list[Stranded]:
        return sorted(self._found.values())


def why_not(queue: str, call: Any) -> str | None:
    """Why a queued call can not be run by this release; None: it can.

    Args:
        queue: the queue's name in TPQ_QUEUES.
        call: its row, or whatever has `task`, `token`, `payload` and `headers`.
    """
    try:
        if not finder(call.headers):
            find(call.task)  # first, as a runner does: what nobody knows is not read
        _, (args, kwargs) = unpack(queue, call.token, call.task, bytes(call.payload))
    except UnknownTask:
        return UNKNOWN
    except (BadSignature, RefusedCodec) as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - unpickling runs the arguments' own code, whose text may name secrets
        return f"its arguments can not be read: {type(error).__name__}"
    try:
        signature = signature_of(task_of(call.task, call.headers))
    except Exception as error:  # noqa: BLE001 - importing a module runs its code
        return f"its task can not be imported: {type(error).__name__}: {error}"
    try:
        signature.bind(*args, **kwargs)
    except TypeError as error:
        return f"its arguments do not fit: {error}"
    return None


def stranded(alias: str, names: Sequence[str], limit: int | None = None) -> tuple[list[Stranded], int]:
    """The stranded calls of some queues, and how many were looked at. All tasks must have been imported.

    Args:
        limit: calls of each queue that are looked at, the oldest first; None: all.
    """
    counted = _Counted()
    for name in names:
        for call in itertools.islice(_queued(alias, name), limit):
            counted.add(name, call)
    return counted.stranded, counted.seen


def unknown(alias: str, names: Sequence[str]) -> dict[str, int]:
    """The unknown tasks of the oldest calls of some queues, with how many calls that is. Reads no arguments."""
    counts: Counter[str] = Counter()
    for name in names:
        ours = _rows(alias, name).filter(Q(headers__isnull=True) | ~Q(headers__has_key="kind"))
        counts.update(ours.order_by("pk").values_list("task", flat=True)[:LOOK])
    return {task: count for task, count in sorted(counts.items()) if not _is_known(task)}


def report(found: Sequence[Stranded], seen: int) -> Iterator[str]:
    """What `executor --check` says, in lines; the last one sums it up."""
    for each in found:
        yield f"queue {each.queue}: {each.number} call(s) of {each.task}: {each.why}"
        yield f"  the oldest since {each.oldest.isoformat(' ', 'seconds')}; such as {', '.join(each.examples)}"
        if each.is_unknown:
            yield f"  they wait. Was it renamed? @task(aliases=[{each.task!r}])"
    count = sum(each.number for each in found)
    told = f"{count} of them can not be run" if found else "all can be run"
    yield f"{seen} queued call(s) looked at: {told} by this release"


def _rows(alias: str, name: str) -> Any:
    return queues.manager(name).using(alias).exclude(state=State.DEAD.value)


def _queued(alias: str, name: str) -> Iterator[Any]:
    """What is queued, in batches by their numbers: no cursor has to stay open, whatever pooler is in between."""
    last, rows = 0, _rows(alias, name).order_by("pk").values_list(*COLUMNS, named=True)
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        yield from batch
        last = batch[-1].pk


def _is_known(task: str) -> bool:
    try:
        find(task)
    except UnknownTask:
        return False
    return True
