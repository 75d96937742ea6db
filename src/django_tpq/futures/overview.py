"""What an operator wants to see, read only: who works, how long the queues are, what nobody can run."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from django.db.models import Count, Min
from django.db.models.functions import Now
from django.utils import timezone

from django_tpq.futures import queues
from django_tpq.futures.models import Schedule
from django_tpq.main.hearing import hearing
from django_tpq.main.models import Consumer
from tpq.heartbeat import PATIENCE

__all__ = ["QueueFigures", "consumers", "figures", "report"]


class QueueFigures(NamedTuple):
    """One queue in numbers."""

    name: str
    ready: int
    waiting: int
    claimed: int
    dead: int
    oldest: float | None
    """Seconds that the oldest ready call has waited."""
    unknown: dict[str, int]
    """Calls that wait for an executor that knows their task."""


def figures(alias: str, names: Sequence[str]) -> list[QueueFigures]:
    """The numbers of some queues."""
    return [_figures(alias, name) for name in names]


def _figures(alias: str, name: str) -> QueueFigures:
    rows = queues.manager(name).db_manager(alias).all()
    counts = dict(rows.values_list("state").annotate(Count("id")).order_by())
    oldest = rows.filter(state="ready").aggregate(at=Min("enqueued_at"))["at"]
    waiting = rows.filter(state="waiting", error__startswith="UnknownTask")
    unknown = dict(waiting.values_list("task").annotate(Count("id")).order_by("task"))
    age = None if oldest is None else max(0.0, (timezone.now() - oldest).total_seconds())
    states = [counts.get(state, 0) for state in ("ready", "waiting", "claimed", "dead")]
    ready, waits, claimed, dead = states
    return QueueFigures(name, ready, waits, claimed, dead, age, unknown)


def consumers(alias: str) -> list[Any]:
    """The consumers that are alive, with the seconds since their last beat."""
    living = Consumer.objects.using(alias).filter(lost_at=None).annotate(now=Now()).order_by("id")
    return [c for c in living if (c.now - c.beat_at).total_seconds() < PATIENCE]


def _schedules(alias: str) -> Iterator[str]:
    enabled = Schedule.objects.using(alias).filter(enabled=True)
    if count := enabled.count():
        next_at = enabled.aggregate(at=Min("next_at"))["at"]
        when = next_at.isoformat(" ", "seconds") if next_at else "not planned yet"
        yield f"{count} schedule(s), the next slot: {when}"
    for schedule in enabled.exclude(error=""):
        yield f"  !! schedule {schedule} is not followed: {schedule.error}"


def report(alias: str, names: Sequence[str]) -> Iterator[str]:
    """The status in lines."""
    living = consumers(alias)
    yield f"{len(living)} executor process(es) alive in database {alias!r}"
    for c in living:
        running = ", ".join(f"{name} x{n}" for name, n in sorted(c.running.items())) or "nothing"
        yield f"  pid {c.pid} on {c.host}, version {c.version}, queues {', '.join(c.queues)}: runs {running}"
        if c.state:
            yield f"    !! {c.state}"
    for q in figures(alias, names):
        oldest = "" if q.oldest is None else f", the oldest waits {q.oldest:.1f} s"
        yield (
            f"queue {q.name}: {q.ready} ready{oldest}, {q.waiting} waiting, {q.claimed} claimed, {q.dead} dead"
        )
        for task, number in q.unknown.items():
            yield f"  !! {number} call(s) of {task}: no executor knows this task yet"
        if q.unknown:
            yield "     was it renamed? @task(aliases=[…]); `executor --check` says what else can not be run"
    yield from _schedules(alias)
    yield f"messages come by {hearing(alias).text}"
