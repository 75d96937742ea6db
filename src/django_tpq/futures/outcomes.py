"""The value that a run ends with. `delivery` applies it."""

from dataclasses import dataclass
from datetime import timedelta

__all__ = ["Failure", "Outcome", "Postponed", "Refused", "Success"]


@dataclass(frozen=True, slots=True)
class Success:
    """It returned."""

    record: bytes | None
    """The result; None when the task keeps none."""
    started: float
    """When (monotonic)."""


@dataclass(frozen=True, slots=True)
class Failure:
    """It raised, or could not be run at all."""

    record: bytes
    text: str
    """For the dead letter: the traceback."""
    started: float


@dataclass(frozen=True, slots=True)
class Postponed:
    """It can not be run here now; somebody may later. It counts as nothing."""

    delay: timedelta
    text: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Its signature is wrong: nothing of it was read."""

    record: bytes
    text: str
    started: float


Outcome = Success | Failure | Postponed | Refused
