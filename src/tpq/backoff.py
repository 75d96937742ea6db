"""How long to wait before the next try. Pure: a number of tries in, a duration out."""

import random
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

__all__ = ["RECONNECT", "Backoff", "Constant", "Exponential"]


class Backoff(Protocol):
    """What has a wait for each try."""

    def delay(self, tries: int) -> timedelta:
        """The wait after so many tries (1 and up)."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The same wait each time."""

    wait: timedelta

    def delay(self, tries: int) -> timedelta:
        """The wait after so many tries."""
        return self.wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Exponential:
    """Doubles with each try, up to a limit; a part of it is left to chance so that crowds disperse."""

    base: timedelta = timedelta(seconds=1)
    limit: timedelta = timedelta(seconds=30)
    jitter: float = 0.25
    """The share of the delay that is random, from 0 to 1."""

    def delay(self, tries: int) -> timedelta:
        """The wait after so many tries (1 and up)."""
        full: timedelta = min(self.limit, self.base * 2 ** min(max(tries, 1) - 1, 20))
        return full * (1 - self.jitter * random.random())  # noqa: S311 - spreading load, no secret


RECONNECT = Exponential(base=timedelta(milliseconds=200), limit=timedelta(seconds=4), jitter=0.5)
"""Between tries when a connection broke: soon at first, then every few seconds, and not all processes at once."""
