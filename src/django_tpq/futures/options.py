"""How a task's calls are made and kept. Checked when the module with the task loads. Pure."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Self, TypedDict

from django_tpq.futures import masking
from django_tpq.futures.codecs import codec
from django_tpq.futures.moments import on_the_servers_clock
from django_tpq.futures.uniqueness import check
from tpq.backoff import Backoff, Exponential

__all__ = ["LONGEST", "Options", "TaskOptions"]

LONGEST = 36_500 * 24 * 3600
"""Seconds; beyond it, servers and caches run out of dates."""
BACKOFF = Exponential(base=timedelta(seconds=5), limit=timedelta(hours=1))
UniqueOption = str | Callable[..., str] | None
LANES = {"thread": 0, "async": 1, "process": 2}
"""Where calls run, and the lanes of the queue for it."""
DUPLICATES = ("existing", "error", "replace")
ExecutorOption = Literal["thread", "async", "process"] | None
DuplicateOption = Literal["existing", "error", "replace"]
ErrorTypes = type[BaseException] | tuple[type[BaseException], ...]
QUEUE = re.compile(r"[a-z0-9_-]{1,24}")


BackoffOption = timedelta | float | Backoff | Callable[[BaseException, int], timedelta | float | None]


class Options(TypedDict, total=False):
    """The options as keywords, for type checkers: those of `TaskOptions`, which says what they are."""

    queue: str
    priority: int
    delay: timedelta | float | None
    run_after: datetime | None
    codec: str | None
    max_deliveries: int
    max_attempts: int
    backoff: BackoffOption
    retry_on: ErrorTypes
    give_up_on: ErrorTypes
    unique: UniqueOption
    unique_for: timedelta | float | None
    on_duplicate: DuplicateOption
    expires: timedelta | float | datetime | None
    timeout: timedelta | float | None
    executor: ExecutorOption
    atomic: bool
    result_ttl: timedelta | float | None
    secret: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskOptions:
    """The options of a task, and by `.using(…)` of a call."""

    queue: str = "default"
    """The name of the call queue (see TPQ_QUEUES)."""
    priority: int = 0
    """Higher ones come first, from -32768 to 32767."""
    delay: timedelta | float | None = None
    """How long a call waits before it may run; seconds or a timedelta."""
    run_after: datetime | None = None
    """The moment from which on a call may run, with its time zone; instead of `delay`."""
    codec: str | None = None
    """`pickle` or `json`; None: as TPQ_CODEC says."""
    max_deliveries: int = 3
    """Executors that may die under a call before it is given up."""
    max_attempts: int = 1
    """Runs that may fail before it is given up: 1 is none but the first."""
    backoff: BackoffOption = BACKOFF
    """How long after a failed attempt the next one is: a duration (seconds or a timedelta), `Exponential(…)`, or a
    function of the exception and the attempt (1 and up) that returns a duration, or None to give up."""
    retry_on: ErrorTypes = Exception
    """The exceptions, a type or a tuple of types, after which there is another attempt."""
    give_up_on: ErrorTypes = ()
    """Those among them after which there is none."""
    unique: UniqueOption = None
    """Of calls with the same key there is one at a time, until it has ended or is dead. `"args"`: one for each set of
    arguments; a template like `"account:{account_id}"`; or a function of the arguments that returns text."""
    unique_for: timedelta | float | None = None
    """For how long (seconds or a timedelta) there is no other call with its key, though it may have ended before."""
    on_duplicate: str = "existing"
    """What becomes of a call whose key another has: `existing`: its future is the other's; `error`: `DuplicateCall`;
    `replace`: it takes the place of the other, unless that runs already (then `DuplicateCall`)."""
    expires: timedelta | float | datetime | None = None
    """After so long (seconds or a timedelta), or from that moment on, a call that has not begun is given up: its future
    raises `CallExpired`. By the clocks of who makes the call and who runs it."""
    timeout: timedelta | float | None = None
    """How long a run may take (seconds or a timedelta); then it ends in `CallTimeout`, which counts as any error."""
    executor: str | None = None
    """Where it runs: `thread`, `process` (one of its own, for what computes) or `async` (an event loop that all such
    calls share). None: coroutine functions in the event loop, others in threads."""
    atomic: bool = False
    """Whether what it writes to the queue's database and its end are one transaction: exactly once."""
    result_ttl: timedelta | float | None = None
    """How long its result is kept (seconds or a timedelta); 0: not at all; None: as TPQ_RESULT_TTL says."""
    secret: tuple[str, ...] = ()
    """The parameters whose arguments are never shown: in the admin, by commands, in errors and logs."""

    def __post_init__(self) -> None:
        if not isinstance(self.queue, str) or not QUEUE.fullmatch(self.queue):
            raise ValueError(f"queue must be 1 to 24 of a-z, 0-9, _ and -, not {self.queue!r}")
        _whole("priority", self.priority, -32768, 32767)
        _whole("max_deliveries", self.max_deliveries, 1, 32767)
        _duration("delay", self.delay)
        _moment("run_after", self.run_after)
        if self.delay is not None and self.run_after is not None:
            raise ValueError("give a delay or run_after, not both")
        _whole("max_attempts", self.max_attempts, 1, 32767)
        _duration("result_ttl", self.result_ttl)
        _moment("expires", self.expires) if isinstance(self.expires, datetime) else _limit(
            "expires", self.expires
        )
        _limit("timeout", self.timeout)
        if self.executor is not None and (not isinstance(self.executor, str) or self.executor not in LANES):
            raise ValueError(f"executor must be one of {', '.join(LANES)}, not {self.executor!r}")
        if not isinstance(self.atomic, bool):
            raise TypeError(f"atomic must be True or False, not {self.atomic!r}")
        if self.atomic and self.executor == "async":
            raise ValueError(
                "atomic is for threads and processes: a transaction of Django can not span an await"
            )
        _backoff(self.backoff)
        _errors("retry_on", self.retry_on)
        _errors("give_up_on", self.give_up_on)
        check(self.unique)
        _limit("unique_for", self.unique_for)
        if self.unique_for is not None and self.unique is None:
            raise ValueError("unique_for says for how long a key is held: give `unique`, too")
        masking.check(self.secret, self.unique)
        if self.on_duplicate not in DUPLICATES:
            raise ValueError(
                f"on_duplicate must be one of {', '.join(DUPLICATES)}, not {self.on_duplicate!r}"
            )
        if self.codec is not None:
            _codec(self.codec)

    def replaced(self, changes: Mapping[str, Any]) -> Self:
        """These options with some changed.

        Raises:
            TypeError, ValueError: there is no such option, or its value does not fit.
        """
        known = {field.name for field in dataclasses.fields(self)}
        if unknown := sorted(set(changes) - known):
            raise TypeError(f"no such option: {', '.join(unknown)} (there are {', '.join(sorted(known))})")
        return dataclasses.replace(self, **changes)

    @property
    def lane(self) -> int:
        """The lane of the queue that its calls wait in."""
        return LANES[self.executor or "thread"]

    @property
    def seconds(self) -> float | None:
        """How long a run may take."""
        timeout = self.timeout
        return timeout.total_seconds() if isinstance(timeout, timedelta) else timeout

    @property
    def due(self) -> timedelta | datetime | None:
        """From when on a call may run: after so long, from a moment on, or (None) at once."""
        if self.run_after is not None:
            return on_the_servers_clock(self.run_after)
        delay = self.delay
        duration = timedelta(seconds=delay) if isinstance(delay, (int, float)) else delay
        return duration if duration and duration > timedelta(0) else None


def _limit(name: str, value: Any) -> None:
    _duration(name, value)
    if value is not None and not value:
        raise ValueError(f"{name} must be longer than nothing")


def _backoff(value: Any) -> None:
    if not callable(value) and not callable(getattr(value, "delay", None)):
        if value is None:
            raise TypeError("backoff must be a duration, Exponential(…) or a function, not None")
        _duration("backoff", value)


def _errors(name: str, value: Any) -> None:
    types = value if isinstance(value, tuple) else (value,)
    if strange := [
        each for each in types if not (isinstance(each, type) and issubclass(each, BaseException))
    ]:
        raise TypeError(f"{name} must be an exception type, or a tuple of them, not {strange[0]!r}")


def _codec(name: Any) -> None:
    if not isinstance(name, str):
        raise TypeError(f"codec must be the name of one, not {name!r}")
    codec(name)


def _whole(name: str, value: Any, low: int, high: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"{name} must be a whole number from {low} to {high}, not {value!r}")


def _moment(name: str, value: Any) -> None:
    if value is not None and (not isinstance(value, datetime) or value.utcoffset() is None):
        raise TypeError(f"{name} must be a datetime with a time zone, not {value!r}")


def _duration(name: str, value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float, timedelta)):
        raise TypeError(f"{name} must be seconds or a timedelta, not {value!r}")
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not 0 <= seconds <= LONGEST:
        raise ValueError(f"{name} must be from 0 to {LONGEST} seconds (a hundred years), not {value!r}")
