"""What a task can say of its own call beside returning and raising: again later, not yet, never."""

from dataclasses import dataclass
from datetime import timedelta

from django_tpq.main.durations import Duration, seconds

__all__ = ["Reject", "Retry", "Snooze"]


class Retry(Exception):
    """Raise it to have the call run again: it has failed, and `max_attempts` counts it.

    When no attempt is left, the future raises what it was raised from (`raise Retry(in_=60) from error`), or itself.

    Args:
        in_: how long until then, in seconds or as a timedelta; None: as the task's `backoff` says.
    """

    def __init__(self, in_: Duration | None = None) -> None:
        super().__init__(in_)
        self.delay = None if in_ is None else seconds(in_)


class Reject(Exception):
    """Raise it to give the call up, whatever attempts are left: it is a dead letter, and the future raises this.

    Args:
        reason: why.
    """

    def __init__(self, reason: str = "") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Snooze:
    """Return it to have the call run again later, as if it had not run: no attempt is counted.

    Args:
        in_: how long until then, in seconds or as a timedelta; less than a second is a second.

    Raises:
        TypeError, ValueError: it is no duration, or a negative one.
    """

    in_: Duration

    def __post_init__(self) -> None:
        if seconds(self.in_) < timedelta(0):
            raise ValueError(f"Snooze: a call can not run again {self.in_!r} from now: give 0 or more")
