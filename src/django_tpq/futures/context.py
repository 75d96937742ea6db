"""What a task can know of its own call, and what it can say of it."""

from collections.abc import Callable
from contextvars import ContextVar
from datetime import datetime
from typing import Any, NamedTuple

from django_tpq.futures.calls import Claimed

__all__ = ["CurrentCall", "Progress", "current_call", "running"]


class Progress(NamedTuple):
    """How far a call has come."""

    done: float
    total: float | None
    """What `done` is to be in the end; None: nobody knows."""
    text: str


class CurrentCall:
    """The call that runs. Where none does it is false, and says what a first attempt would that nobody asks about.

    Args:
        is_cancelled: whether somebody wants it to end; None: nobody can.
        report: where its progress goes; None: nowhere.
    """

    __slots__ = ("_claimed", "_is_cancelled", "_report")

    def __init__(
        self,
        claimed: Claimed,
        is_cancelled: Callable[[Claimed], bool] | None = None,
        report: Callable[[Claimed, Progress], Any] | None = None,
    ) -> None:
        self._claimed = claimed
        self._is_cancelled = is_cancelled
        self._report = report

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._claimed.task)

    @property
    def id(self) -> str:
        """The id of its future; empty: there is none."""
        return str(self._claimed.call) if self else ""

    @property
    def task(self) -> str:
        """The task's name; empty: there is none."""
        return self._claimed.task

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._claimed.attempt + 1

    @property
    def is_last_attempt(self) -> bool:
        """Whether there is no other one if this one fails."""
        return self.attempt >= self._claimed.max_attempts

    @property
    def claim_no(self) -> int:
        """How often it has been claimed, this time included."""
        return self._claimed.claim_no

    @property
    def deliveries(self) -> int:
        """Executors that have died under it."""
        return self._claimed.deliveries

    @property
    def slot(self) -> datetime | None:
        """The moment that it is for, in UTC, when it is the call of a schedule; else None."""
        slot = (self._claimed.headers or {}).get("slot")
        try:
            moment = datetime.fromisoformat(slot) if isinstance(slot, str) else None
        except ValueError:
            return None
        return moment if moment is not None and moment.utcoffset() is not None else None

    @property
    def is_cancelled(self) -> bool:
        """Whether `future.cancel()` was called: a task that asks now and then can end early, by `CallCancelled`."""
        return self._is_cancelled is not None and self._is_cancelled(self._claimed)

    def progress(self, done: float, total: float | None = None, text: str = "") -> None:
        """Say how far it has come, for `future.progress()`. Call it as often as you like: it is written twice a second
        at most, and outside of the task's transaction.

        Args:
            done: how much is done, in any unit.
            total: what that is to be in the end.
            text: what it is at.
        """
        if self._report is not None:
            of = None if total is None else float(total)
            self._report(self._claimed, Progress(float(done), of, str(text)))

    def __reduce__(self) -> tuple[Any, ...]:
        """Where it does not run, it can only say what it was."""
        return CurrentCall, (self._claimed,)

    def __repr__(self) -> str:
        return (
            f"<CurrentCall {self.id} of {self.task}, attempt {self.attempt}>" if self else "<no current call>"
        )


NONE = CurrentCall(Claimed(0, 0, 0, 1, 0, 1, "", "", b"", None, ""))
"""Outside of tasks."""
running: ContextVar[CurrentCall | None] = ContextVar("tpq_current_call", default=None)


def current_call() -> CurrentCall:
    """The call that runs here. Where a task's function is called as such, as in a test, it is one that is false: its
    attempt is the first, and its progress goes nowhere."""
    return running.get() or NONE
