"""The table of schedules, on a cursor like a queue's: who is due, and what became of it."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from tpq.arrays import numbers
from tpq.message import decode
from tpq.statements import compose

__all__ = ["TABLE", "Coming", "Entry", "ScheduleTable", "install_statement", "uninstall_statement"]

TABLE = "tpq_schedule"

Cursor = Callable[[], AbstractContextManager[Any]]
NONE: Mapping[int, int] = {}


class Coming(NamedTuple):
    """A schedule that is due, or will be."""

    id: int
    wait: float
    """Seconds until then."""
    mark: int | None
    """Of one that is due: it changes with what people say of it."""


class Entry(NamedTuple):
    """A schedule's row."""

    id: int
    name: str
    task: str
    source: str
    cron: str
    every: timedelta | None
    start_at: datetime | None
    timezone: str
    args: Any
    kwargs: Any
    misfire: str
    grace: timedelta
    overlap: str
    jitter: timedelta
    queue: str
    priority: int | None
    last_at: datetime | None
    last_call: str
    skipped_at: datetime | None
    next_at: datetime | None
    error: str
    now: datetime
    """What counted as now when it was read."""


def install_statement() -> str:
    """What the table has that Django can not make: its index, and a trigger that plans anew what was changed."""
    return compose("schedules/install", TABLE)


def uninstall_statement() -> str:
    """What undoes it."""
    return compose("schedules/uninstall", TABLE)


class ScheduleTable:
    """The table on a connection.

    Args:
        cursor: makes cursors of the connection to use.
        ahead: by how much what counts as now is ahead of the server's clock.
    """

    def __init__(self, cursor: Cursor, ahead: timedelta = timedelta(0)) -> None:
        self._cursor, self._ahead = cursor, ahead

    def coming(self, count: int, but: Mapping[int, int] = NONE) -> list[Coming]:
        """The enabled schedules that are due next. Locks nothing.

        Args:
            but: the marks of some that are left out, by their ids; whoever has another mark now is not.
        """
        ids, marks = numbers(list(but)), numbers(list(but.values()))
        values = {"count": count, "but": ids, "marks": marks, "ahead": self._ahead}
        rows = self._rows("schedules/coming", values)
        return [Coming(*row) for row in rows]

    def enabled(self) -> list[Entry]:
        """All that are enabled."""
        return [_entry(row) for row in self._rows("schedules/enabled", {"ahead": self._ahead})]

    def lock(self, number: int) -> Entry | None:
        """Lock a schedule until the transaction ends; None: it is not due any more, or somebody else is at it."""
        rows = self._rows("schedules/lock", {"id": number, "ahead": self._ahead})
        return _entry(rows[0]) if rows else None

    def move(self, entry: Entry) -> None:
        """Keep what became of a locked schedule: the last columns of its row. It has no error."""
        names = ("id", "last_at", "last_call", "skipped_at", "next_at")
        self._rows("schedules/move", {name: getattr(entry, name) for name in names})

    def report(self, number: int, error: str) -> None:
        """Keep why a schedule is not followed."""
        self._rows("schedules/report", {"id": number, "error": error})

    def rename(self, name: str, aliases: Sequence[str]) -> bool:
        """Let the row of a schedule in code bear its task's new name instead of an old one; whether there was any."""
        return bool(self._rows("schedules/rename", {"name": name, "aliases": list(aliases)}))

    def sync(self, values: Mapping[str, Any]) -> bool:
        """Make the row of a schedule in code as the code says; whether it was written."""
        return bool(self._rows("schedules/sync", values))

    def _rows(self, name: str, values: Mapping[str, Any]) -> list[Any]:
        statement = compose(name, TABLE, returning=Entry._fields[:-1])
        with self._cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if name not in SILENT else []


def _entry(row: Sequence[Any]) -> Entry:
    """A row, whose JSON may come as text, and its moments without a time zone: Django has its connections do so."""
    values: list[Any] = [_aware(value) if isinstance(value, datetime) else value for value in row]
    entry = Entry(*values)
    return entry._replace(args=_decoded(entry.args), kwargs=_decoded(entry.kwargs))


def _aware(moment: datetime) -> datetime:
    """With USE_TZ off Django means the time zone of the process, which it sets."""
    return moment if moment.utcoffset() is not None else moment.astimezone(UTC)


def _decoded(value: Any) -> Any:
    try:
        return decode(value)
    except ValueError:  # a text in it, which is no list and no object
        return value


SILENT = ("schedules/move", "schedules/report")
"""The statements that bring nothing back."""
