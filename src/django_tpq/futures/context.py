"""What a task can know of its own call."""

from contextvars import ContextVar

from django_tpq.futures.calls import Claimed

__all__ = ["CurrentCall", "current_call", "running"]


class CurrentCall:
    """The call that runs."""

    __slots__ = ("_claimed",)

    def __init__(self, claimed: Claimed) -> None:
        self._claimed = claimed

    @property
    def id(self) -> str:
        """The id of its future."""
        return str(self._claimed.call)

    @property
    def task(self) -> str:
        """The task's name."""
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

    def __repr__(self) -> str:
        return f"<CurrentCall {self.id} of {self.task}, attempt {self.attempt}>"


running: ContextVar[CurrentCall | None] = ContextVar("tpq_current_call", default=None)


def current_call() -> CurrentCall | None:
    """The call that this thread runs; None outside of tasks."""
    return running.get()
