"""How far a call has come, as its caller sees it."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple

from django_tpq.futures.calls import CallId
from django_tpq.futures.reports import TABLE
from tpq.progress import ProgressTable

__all__ = ["Seen", "progress_of"]


class Seen(NamedTuple):
    """What a call has said of its progress."""

    done: float
    total: float | None
    """What `done` is to be in the end; None: it did not say."""
    text: str
    at: datetime
    """When that was written."""

    @property
    def fraction(self) -> float | None:
        """From 0 to 1; None: it is not known."""
        return min(1.0, max(0.0, self.done / self.total)) if self.total else None


def progress_of(call: CallId, cursor: Callable[[], AbstractContextManager[Any]]) -> Seen | None:
    """What a call has last said; None: nothing, or too long ago."""
    found = ProgressTable(TABLE, cursor).get([call.token]).get(call.token)
    return None if found is None else Seen(*found)
