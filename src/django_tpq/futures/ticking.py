"""The clock of periodic tasks: each executor looks for schedules that are due, and enqueues the calls of their slots.

Nobody leads. Who finds a schedule due locks its row, and in the same transaction enqueues the calls and moves it on to
its next slot: however many look, and whoever dies, each slot has one call.
"""

import logging
import time
from collections import deque
from datetime import timedelta
from typing import Any

import psycopg
from django.core.exceptions import ImproperlyConfigured

from django_tpq.futures.following import (
    BUSY,
    CannotFollow,
    Followed,
    Task,
    follow,
    in_code,
    task_of,
    written,
)
from django_tpq.futures.signals import task_enqueued
from tpq.message import storable
from tpq.own import cursor_of
from tpq.prepared import forget
from tpq.schedules import Coming, ScheduleTable
from tpq.session import impatient

__all__ = ["Ticker"]

logger = logging.getLogger("django_tpq.schedules")

LOOK = 1.0
"""Seconds between looks while there are schedules; a slot that is due before is waited for."""
IDLE = 4.0
"""Seconds between looks while there are none."""
LOCKED = 0.1
"""Seconds until the next look at what somebody else is at."""
AGAIN = 60.0
"""Seconds until the next try with schedules that could not be followed here, unless they are changed before."""
AT_ONCE = 10
"""Schedules in one turn of the loop."""
FAR = 10_000
"""Looks of a leap after which it is most likely that a schedule of seconds is led over years."""
LONGEST = 10_000
"""Characters of an error."""
UNREADABLE = "its row has a value that can not be read here, such as a moment that is 'infinity'"
CLEAR = (CannotFollow, ImproperlyConfigured, ModuleNotFoundError, TypeError, ValueError)
"""Errors whose text says it all."""


class Ticker:
    """The clock of one process. One thread ticks.

    Args:
        alias: the database.
        ahead: by how much what counts as now is ahead of the server's clock.
    """

    def __init__(self, alias: str, ahead: timedelta = timedelta(0)) -> None:
        self._alias, self._ahead = alias, ahead
        self._idle = timedelta(0)
        self._is_synced = False
        self._unwritten: deque[Task] | None = None
        self._look_at = self._again_at = 0.0
        self._unable: dict[int, int] = {}
        self._told: set[tuple[str, str]] = set()

    def tick(self, connection: psycopg.Connection[Any]) -> float:
        """Follow what is due, if it is time to look; the moment (monotonic) of the next look.

        Raises:
            psycopg.Error: the connection broke.
        """
        now = time.monotonic()
        if now < self._look_at:
            return self._look_at
        try:
            wait = self._look(connection)
            self._look_at = now + (IDLE if wait is None else min(LOOK, wait))
        except psycopg.Error as error:  # a table that is missing, for one: calls run all the same
            _raise_if_broken(error, connection)
            self._look_at = now + AGAIN
            self._tell("of any kind", _text(error))
        return self._look_at

    def leap(self, connection: psycopg.Connection[Any], by: timedelta) -> None:
        """Let so much time pass, slot after slot, as if nobody ran the calls meanwhile: for clocks that tests move.

        Raises:
            RuntimeError: there is no end to the slots.
        """
        self._idle = by
        for _ in range(FAR):
            wait = self._look(connection)
            if wait is None or timedelta(seconds=wait) > self._idle:
                return
            self._ahead += timedelta(seconds=wait)
            self._idle -= timedelta(seconds=wait)
        raise RuntimeError(
            f"the clock stopped {self._idle} before it arrived, at the slot {FAR:,} of schedules: keep those out that "
            "the test is not about, by Schedule.objects.update(enabled=False)"
        )

    def _look(self, connection: psycopg.Connection[Any]) -> float | None:
        """Follow what is due; seconds until the next is, or None: there is none."""
        table = ScheduleTable(cursor_of(connection), self._ahead)
        if not self._is_synced:
            self._sync(table, connection)
        if time.monotonic() >= self._again_at:
            self._unable.clear()
            self._again_at = time.monotonic() + AGAIN
        coming = table.coming(AT_ONCE, self._unable)
        if not coming:
            return None
        if coming[0].wait > 0:
            return coming[0].wait
        was_ours = [self._try(each, table, connection) for each in coming if each.wait <= 0]
        return 0.0 if any(was_ours) else LOCKED

    def _try(self, coming: Coming, table: ScheduleTable, connection: psycopg.Connection[Any]) -> bool:
        """Follow a schedule, unless somebody else is at it. What is wrong with one stops no other."""
        name = str(coming.id)
        try:
            with connection.transaction():
                entry = table.lock(coming.id)
                if entry is None:
                    return False
                name = entry.name
                followed = follow(entry, self._alias, connection, self._idle)
                table.move(followed.entry)
        except psycopg.errors.LockNotAvailable:
            forget(connection)
            self._leave(coming)
            return True
        except Exception as error:  # noqa: BLE001 - of its arguments, of `unique`, of the server: whatever it is
            _raise_if_broken(error, connection)
            forget(connection)
            self._cannot(coming, name, _text(error), table)
            return True
        self._announce(followed)
        if followed.entry.next_at is None:
            self._cannot(coming, name, "it has no slot in the next fifty years", table)
        return True

    def _leave(self, coming: Coming) -> None:
        """Leave a schedule alone until the next look: somebody's open transaction says what becomes of its slot."""
        self._unable[coming.id] = coming.mark or 0
        self._again_at = min(self._again_at, time.monotonic() + LOOK)

    def _cannot(self, coming: Coming, name: str, why: str, table: ScheduleTable) -> None:
        """Leave a schedule alone for a while: it stays due, for others, or for us when we or its row know better."""
        self._unable[coming.id] = coming.mark or 0
        self._tell(name, why)
        table.report(coming.id, why)

    def _tell(self, name: str, why: str) -> None:
        """Once in the life of a process."""
        if (name, why) not in self._told:
            self._told.add((name, why))
            logger.warning("schedule %s is not followed: %s", name, why)

    def _announce(self, followed: Followed) -> None:
        entry, task = followed.entry, followed.task
        for call in followed.calls:
            logger.debug("schedule %s: call %s of %s", entry.name, call, task.name)
            if task_enqueued.receivers:
                task_enqueued.send_robust(sender=type(task), task=task.name, call=str(call))

    # Once a process ---------------------------------------------------------------------------------------

    def _sync(self, table: ScheduleTable, connection: psycopg.Connection[Any]) -> None:
        """Write down what stands in code, and say of each schedule that can not be followed here why not."""
        if self._unwritten is None:
            self._unwritten = deque(in_code())
        while self._unwritten:
            task = self._unwritten.popleft()
            try:
                with connection.transaction(), impatient(cursor_of(connection), BUSY):
                    self._write(task, table)
            except psycopg.errors.LockNotAvailable:
                forget(connection)
                self._unwritten.append(task)
                return  # with the next look: calls do not wait for it
            except (ImproperlyConfigured, psycopg.DataError, psycopg.IntegrityError) as error:
                forget(connection)
                self._tell(task.name, _text(error))
        self._check(table)
        self._is_synced = True

    def _write(self, task: Task, table: ScheduleTable) -> None:
        row = written(task, self._alias)
        if row is None:
            return
        if task.aliases and table.rename(task.name, task.aliases):
            logger.info("schedule %s: its task had another name", task.name)
        if table.sync(row):
            logger.info("schedule %s: %s", task.name, task.schedule)

    def _check(self, table: ScheduleTable) -> None:
        """Say of all at once what their turns would say one by one."""
        try:
            entries = table.enabled()
        except psycopg.DataError:  # one has what Python can not hold, as `infinity`: its own turn says so
            return
        for entry in entries:
            why = ""
            try:
                task_of(entry, self._alias)
            except CLEAR as error:
                why = _text(error)
                self._tell(entry.name, why)
            if why != entry.error:
                table.report(entry.id, why)


def _raise_if_broken(error: Exception, connection: psycopg.Connection[Any]) -> None:
    if isinstance(error, psycopg.Error) and (connection.closed or connection.broken):
        raise error


def _text(error: Exception) -> str:
    text = str(error) if isinstance(error, CLEAR) else f"{type(error).__name__}: {error}"
    if isinstance(error, psycopg.Error):  # its details may show what is in a call
        text = f"{type(error).__name__}: {error.diag.message_primary or UNREADABLE}"
    return storable(" ".join(text.split())[:LONGEST])
