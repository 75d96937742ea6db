"""When a periodic task is due: `Cron` and `Every`, and the slots they have. Pure.

A slot is one due moment. Between two slots of `Every` passes always the same time; those of `Cron` follow the clock on
the wall. When that is set forward or back, they do as Debian's cron does:

- An expression that names its minute and its hour is for a time of the day. What falls into the time that is left out
  has its slot at the end of it; what falls into the time that comes twice has one slot, the first time.
- One whose minute or hour begins with `*` is for an interval: it has a slot whenever the clock shows it, so twice in
  the time that comes twice, and none in the time that is left out.
"""

import abc
import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django_tpq.main.durations import Duration, seconds
from tpq.message import encode

__all__ = ["MISFIRE", "OVERLAP", "Cron", "Every", "Rule"]

MISFIRE = ("skip", "latest", "all")
OVERLAP = ("skip", "queue")
SHORTEST = timedelta(seconds=1)
LONGEST = timedelta(days=36_500)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
FIELDS = 5
"""Minute, hour, day of the month, month, day of the week."""
INSTALL = "cron expressions are read by cronsim, which is not installed: pip install 'django-tpq[cron]'"


@dataclass(frozen=True, kw_only=True)
class Rule(abc.ABC):
    """What all schedules can say beside when they are due."""

    args: Sequence[Any] = ()
    """The positional arguments of the calls: JSON."""
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Their keyword arguments: JSON."""
    misfire: str = "latest"
    """What becomes of slots that were missed, because no executor ran: `skip`: nothing; `latest`: the newest of them
    gets its call; `all`: each of them does, the newest hundred at most."""
    grace: Duration = timedelta(seconds=60)
    """How late a slot may be (seconds or a timedelta) before it counts as missed."""
    overlap: str = "skip"
    """What becomes of a slot while the call of the one before has not ended: `skip`: nothing; `queue`: its call too."""
    jitter: Duration = timedelta(0)
    """By how much a call is put off at most (seconds or a timedelta), so that not all come at the same moment."""

    def __post_init__(self) -> None:
        _choice("misfire", self.misfire, MISFIRE)
        _choice("overlap", self.overlap, OVERLAP)
        for name in ("grace", "jitter"):
            object.__setattr__(self, name, _duration(name, getattr(self, name)))
        if isinstance(self.args, (str, bytes)) or not isinstance(self.args, Sequence):
            raise TypeError(f"args must be a list or a tuple, not {self.args!r}")
        if not isinstance(self.kwargs, Mapping):
            raise TypeError(f"kwargs must be a dict, not {self.kwargs!r}")
        _json("args", list(self.args))
        _json("kwargs", dict(self.kwargs))

    @abc.abstractmethod
    def after(self, moment: datetime) -> datetime | None:
        """The first slot after a moment, in UTC; None: there is none."""

    def slots(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The slots after a moment up to another, that included."""
        slot = self.after(after)
        while slot is not None and slot <= until:
            yield slot
            slot = self.after(slot)


@dataclass(frozen=True)
class Every(Rule):
    """Every so often, from an anchor on: the slots do not drift, however late the calls are.

    Args:
        interval: the time between two slots, from a second on; seconds or a timedelta.
        start: a moment (with its time zone) that is a slot, and the first; None: multiples of the interval since 1970.
    """

    interval: Duration
    start: datetime | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        interval = _duration("the interval", self.interval)
        if interval < SHORTEST:
            raise ValueError(f"the interval must be from one second on, not {self.interval!r}")
        object.__setattr__(self, "interval", interval)
        if self.start is not None and (
            not isinstance(self.start, datetime) or self.start.utcoffset() is None
        ):
            raise TypeError(f"start must be a datetime with a time zone, not {self.start!r}")

    def after(self, moment: datetime) -> datetime | None:
        """The first slot after a moment, in UTC."""
        interval = seconds(self.interval)
        anchor = EPOCH if self.start is None else self.start.astimezone(UTC)
        number = (moment.astimezone(UTC) - anchor) // interval + 1
        try:
            return anchor + (number if self.start is None else max(number, 0)) * interval
        except OverflowError:
            return None

    def __str__(self) -> str:
        return f"every {self.interval}"


@dataclass(frozen=True)
class Cron(Rule):
    """By the clock on the wall, as a cron expression says.

    Args:
        expression: minute, hour, day of the month, month, day of the week.
        tz: the name of the time zone, as `Europe/Berlin`; None: the project's TIME_ZONE (`after` itself takes UTC).

    Raises:
        ValueError: it is no cron expression, or there is no such time zone.
    """

    expression: str
    tz: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.expression, str):
            raise TypeError(f"a cron expression is text, not {self.expression!r}")
        if len(self.expression.split()) != FIELDS:
            raise ValueError(
                f"a cron expression has five fields (minute, hour, day of the month, month, day of the week), not "
                f"{self.expression!r}; for less than a minute there is Every(…)"
            )
        if self.tz is not None:
            _zone(self.tz)
        if _cronsim() is not None:
            next(self._walls(datetime(2000, 1, 1)), None)  # noqa: DTZ001 - as the clock on the wall shows it

    def after(self, moment: datetime) -> datetime | None:
        """The first slot after a moment, in UTC; None: there is none in the next fifty years.

        Raises:
            ModuleNotFoundError: cronsim is not installed.
        """
        self.require()
        zone, found = _zone(self.tz or "UTC"), []
        shown = moment.astimezone(zone).replace(tzinfo=None)
        for wall in self._walls(shown - _set_back(moment, zone)):
            found += [slot for slot in self._moments(wall, zone) if slot > moment]
            if found and wall > shown:
                break
        return min(found, default=None)

    def require(self) -> None:
        """Raise ModuleNotFoundError unless cron expressions can be read here."""
        if _cronsim() is None:
            raise ModuleNotFoundError(INSTALL)

    def __str__(self) -> str:
        return f"{self.expression} ({self.tz})" if self.tz else self.expression

    @property
    def _is_interval(self) -> bool:
        return any(part.startswith("*") for part in self.expression.split()[:2])

    def _walls(self, after: datetime) -> Iterator[datetime]:
        """What a clock on the wall that is never set shows at slots, after what it shows now."""
        module = _cronsim()
        try:
            yield from module.CronSim(self.expression, after)
        except module.CronSimError as error:
            raise ValueError(f"{self.expression!r} is no cron expression: {error}") from None

    def _moments(self, wall: datetime, zone: ZoneInfo) -> list[datetime]:
        """The slots of what the clock on the wall of a zone shows."""
        first, second = _moment(wall, zone, 0), _moment(wall, zone, 1)
        if not _shows(first, zone, wall):
            return [] if self._is_interval else [_end_of_gap(wall, zone)]
        return [first, second] if self._is_interval and first != second else [first]


def _moment(wall: datetime, zone: ZoneInfo, fold: int) -> datetime:
    return wall.replace(tzinfo=zone, fold=fold).astimezone(UTC)


def _shows(moment: datetime, zone: ZoneInfo, wall: datetime) -> bool:
    return moment.astimezone(zone).replace(tzinfo=None) == wall


def _end_of_gap(wall: datetime, zone: ZoneInfo) -> datetime:
    while not _shows(moment := _moment(wall, zone, 0), zone, wall):
        wall = wall.replace(second=0, microsecond=0) + MINUTE
    return moment


def _set_back(moment: datetime, zone: ZoneInfo) -> timedelta:
    """By how much clocks are set back within a day after a moment."""
    now, then = (each.astimezone(zone).utcoffset() or timedelta(0) for each in (moment, moment + DAY))
    return max(timedelta(0), now - then)


@functools.cache
def _cronsim() -> Any:
    """The module that reads cron expressions; None: it is not installed."""
    try:
        import cronsim  # noqa: PLC0415 - an extra
    except ImportError:
        return None
    return cronsim


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, TypeError, ValueError, LookupError):
        raise ValueError(f"there is no time zone {name!r} here") from None


def _choice(name: str, value: Any, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, not {value!r}")


def _json(name: str, value: Any) -> None:
    """Whether PostgreSQL keeps it as it is."""
    try:
        encode(value)
    except (TypeError, ValueError) as error:
        why = str(error).replace("body", name, 1)
        raise TypeError(f"args and kwargs of a schedule must be JSON: {why}") from None


def _duration(name: str, value: Any) -> timedelta:
    try:
        duration = seconds(value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be seconds or a timedelta, not {value!r}") from None
    if not timedelta(0) <= duration <= LONGEST:
        raise ValueError(f"{name} must be from nothing to a hundred years, not {value!r}")
    return duration
