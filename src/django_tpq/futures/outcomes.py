"""The value that a run ends with. `delivery` applies it. A frozen dataclass would take a microsecond to make."""

from datetime import timedelta
from typing import NamedTuple

from tpq.results import Result

__all__ = ["Again", "Failure", "Lost", "Outcome", "Postponed", "Refused", "Settled", "Success"]


class Success(NamedTuple):
    """It returned."""

    record: bytes | None
    """The result; None when the task keeps none."""
    started: float
    """When (monotonic)."""


class Failure(NamedTuple):
    """It raised, or could not be run at all."""

    record: bytes
    text: str
    """For the dead letter: the traceback."""
    started: float
    type: str | None = None
    """Of the exception, `module.QualifiedName`."""


class Postponed(NamedTuple):
    """It can not be run here now; somebody may later. It counts as nothing."""

    delay: timedelta
    text: str | None
    """Why; None: it wants to be asked again itself."""
    type: str | None = None
    record: None = None


class Again(NamedTuple):
    """It raised, and has another attempt."""

    delay: timedelta
    text: str
    """The traceback."""
    type: str
    """Of the exception."""
    record: None = None


class Lost(NamedTuple):
    """The process that ran it died under it, and nothing else did."""

    record: bytes
    """The result if it was the last time."""
    text: str
    started: float
    type: str


class Settled(NamedTuple):
    """It is settled already, in the transaction that it ran in."""

    started: float
    is_over: bool
    """Whether it has ended."""
    results: "tuple[Result, ...]" = ()
    """What is to go to a store that was no part of the transaction."""
    record: None = None


class Refused(NamedTuple):
    """Its signature is wrong: nothing of it was read."""

    record: bytes
    text: str
    started: float
    type: str | None = None


Outcome = Success | Failure | Again | Postponed | Lost | Settled | Refused
