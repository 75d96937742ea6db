"""Dead letters as a person asks for them: by the id of a future or the number of a row, by task, error and time."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, time, timedelta
from typing import Any, NamedTuple

from django.apps import apps
from django.db.models import Q
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.calls import BadSignature, CallId
from django_tpq.main.managers import QueueManager

__all__ = ["REFUSED", "Letter", "Place", "chosen", "letters", "moment", "of_type", "places"]

REFUSED = "refused"
"""What can be asked for as a type, beside the types of errors and `lost`: calls whose signature was wrong."""
BAD_SIGNATURE = f"{BadSignature.__module__}.{BadSignature.__qualname__}"
AGO = re.compile(r"(\d{1,6})([smhdw])")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Place(NamedTuple):
    """A queue, and how a person calls it."""

    name: str
    """Its name in TPQ_QUEUES, or `app.Model`."""
    manager: Any
    """Its `QueueManager`, in the database that was chosen."""
    has_calls: bool

    def id_of(self, letter: Any) -> str:
        """What names a dead letter: the future's id, or the row's number."""
        return str(CallId(self.name, letter.pk, letter.token)) if self.has_calls else str(letter.pk)


class Letter(NamedTuple):
    """What a person has named."""

    given: str
    place: Place
    number: int
    token: str | None
    """Of a future's id."""

    def rows(self) -> Any:
        """The dead letter, if it is one."""
        named = {"pk": self.number} if self.token is None else {"pk": self.number, "token": self.token}
        return self.place.manager.dead().filter(**named)


def places(alias: str | None, wanted: Sequence[str] = ()) -> list[Place]:
    """The queues of some names, or all of TPQ_QUEUES that are in a database (None: in any).

    Raises:
        ValueError: there is no such queue; the text names those that there are.
    """
    if not (names := wanted or queues.names_on(alias)):
        raise ValueError(f"no queue of TPQ_QUEUES is in the database {alias!r}")
    return [_place(alias, name) for name in names]


def _place(alias: str | None, name: str) -> Place:
    if name in settings.QUEUES:
        return Place(name, _in(queues.manager(name), alias), has_calls=True)
    try:
        manager = apps.get_model(name)._default_manager
    except (LookupError, ValueError):
        manager = None
    if not isinstance(manager, QueueManager):
        known = ", ".join(sorted(settings.QUEUES))
        raise ValueError(f"there is no queue {name!r}: TPQ_QUEUES has {known}; others are named app.Model")
    label = manager.model._meta.label_lower
    of_calls = [known for known, model in settings.QUEUES.items() if model.lower() == label]
    return _place(alias, of_calls[0]) if of_calls else Place(name, _in(manager, alias), has_calls=False)


def _in(manager: QueueManager[Any], alias: str | None) -> QueueManager[Any]:
    return manager if alias is None else manager.using(alias)


def chosen(
    place: Place, *, task: str | None = None, kind: str | None = None, since: datetime | None = None
) -> Any:
    """The dead letters of a queue that fit.

    Args:
        kind: the type of the last error: `module.Name` or its last part; `lost`, or `refused`.
        since: those that died then or later.

    Raises:
        ValueError: a queue of messages is asked for a task.
    """
    found = place.manager.dead()
    if task is not None:
        if not place.has_calls:
            raise ValueError(f"{place.name} is a queue of messages: they have no task")
        found = found.filter(task=task)
    if kind is not None:
        found = found.filter(of_type(kind))
    return found if since is None else found.filter(died_at__gte=since)


def of_type(kind: str) -> Q:
    """Those whose last error was of a type, as in `chosen`."""
    if kind == REFUSED:
        return Q(error_type=BAD_SIGNATURE)
    return Q(error_type=kind) if "." in kind else Q(error_type=kind) | Q(error_type__endswith=f".{kind}")


def letters(given: Iterable[str], among: Sequence[Place]) -> Iterator[Letter]:
    """What ids name: those of futures, and with one queue to choose from, numbers of rows.

    Raises:
        ValueError: an id is none, or names a queue that was not chosen.
    """
    by_name = {place.name: place for place in among}
    for text in given:
        if text.isdecimal():
            if len(among) != 1:
                raise ValueError(f"{text} may be in any of {', '.join(by_name)}: name one by --queue")
            yield Letter(text, among[0], int(text), None)
            continue
        call = CallId.parse(text)
        if call.queue not in by_name or not by_name[call.queue].has_calls:
            raise ValueError(
                f"{text} is of the queue {call.queue!r}, which is not among {', '.join(by_name)}"
            )
        yield Letter(text, by_name[call.queue], call.number, call.token)


def moment(text: str) -> datetime:
    """A moment as a person writes it: `2026-11-29`, `2026-11-29T10:30`, or how long ago: `90m`, `36h`, `3d`.

    Raises:
        ValueError: it is none.
    """
    if ago := AGO.fullmatch(text):
        return timezone.now() - timedelta(**{UNITS[ago[2]]: int(ago[1])})
    found = parse_datetime(text)
    if found is None and (day := parse_date(text)):
        found = datetime.combine(day, time.min)
    if found is None:
        raise ValueError(f"{text!r} is no moment: write 2026-11-29, 2026-11-29T10:30, or 90m, 36h, 3d ago")
    return timezone.make_aware(found) if timezone.is_naive(found) else found
