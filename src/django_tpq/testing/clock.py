"""A clock that a test moves: what waits for later comes due, and nobody else's time changes."""

import contextlib
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from django.apps import apps
from django.db import connections
from django.utils import timezone

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.moments import ahead
from django_tpq.futures.ticking import Ticker
from django_tpq.main.models import BaseQueue
from django_tpq.testing.databases import is_allowed, queues_of
from tpq import clock as server
from tpq.errors import UnknownQueue

__all__ = ["Clock", "clock"]


class Clock:
    """What counts as now for delays, `run_after`, retries, leases and periodic tasks."""

    def now(self) -> datetime:
        """What counts as now: the server's clock, and by how much this one is ahead of it. It has a time zone as USE_TZ
        says."""
        alias = queues.manager(next(iter(settings.QUEUES))).db_for_queue
        moment = server.now(connections[alias].cursor)
        return moment + ahead.get()

    def advance(self, duration: timedelta | None = None, /, **parts: float) -> None:
        """Let time pass: a timedelta, or its parts (`hours=1`).

        Raises:
            TypeError: both were given, or neither.
        """
        if (duration is None) != bool(parts):
            raise TypeError("give advance() a timedelta, or its parts like hours=1")
        _pass(timedelta(**parts) if duration is None else duration)

    def move_to(self, moment: datetime) -> None:
        """Make it this moment, later or earlier.

        Args:
            moment: with its time zone.

        Raises:
            TypeError: it has no time zone.
        """
        if not isinstance(moment, datetime) or moment.utcoffset() is None:
            raise TypeError(f"move_to() needs a datetime with a time zone, not {moment!r}")
        now = self.now()
        _pass(moment - (timezone.make_aware(now) if timezone.is_naive(now) else now))


@contextlib.contextmanager
def clock() -> Iterator[Clock]:
    """A clock to move, for a block: `with clock() as c: c.advance(hours=1)`.

    It is moved for the messages of all queues, also those that are no calls, of the databases that the test may use.
    `time.time()`, `timezone.now()` and PostgreSQL's own clock stay as they are. At the end of the block it is the
    present again, and what still waits is as late as it was by this clock.

    Schedules whose slots come due when it is moved get their calls, slot after slot, as if no executor ran any of them
    before the clock has arrived: with `overlap="skip"` the first slot alone.
    """
    reset = ahead.set(timedelta(0))
    try:
        _follow(timedelta(0))
        yield Clock()
        _pass(-ahead.get())
    finally:
        ahead.reset(reset)


def _pass(duration: timedelta) -> None:
    """Let the rows be so much older, for the server's clock can not be moved."""
    if duration:
        for name, alias in _tables():
            server.shift(name, duration, connections[alias].cursor)
        _follow(duration)
        ahead.set(ahead.get() + duration)


def _follow(duration: timedelta) -> None:
    """Make the calls of the schedules whose slots come meanwhile."""
    for alias in sorted({alias for _, alias in queues_of(None)}):
        wrapper = connections[alias]
        wrapper.ensure_connection()
        Ticker(alias, ahead.get()).leap(wrapper.connection, duration)


def _tables() -> Iterator[tuple[str, str]]:
    """The tables of all queues, and their databases."""
    for model in apps.get_models():
        if issubclass(model, BaseQueue):
            manager: Any = model._default_manager
            alias = manager.db_for_queue
            if is_allowed(alias) and connections[alias].vendor == "postgresql":
                with contextlib.suppress(UnknownQueue):  # the test's project has no table for it
                    yield manager.table().name, alias
