"""What a task can know of its own call."""

from contextvars import ContextVar
from dataclasses import dataclass

__all__ = ["CurrentCall", "current_call", "running"]


@dataclass(frozen=True, slots=True)
class CurrentCall:
    """The call that runs."""

    id: str
    """The id of its future."""
    task: str
    """The task's name."""
    attempt: int
    """Which attempt this is, from 1."""
    claim_no: int
    """How often it has been claimed, this time included."""
    deliveries: int
    """Executors that have died under it."""


running: ContextVar[CurrentCall | None] = ContextVar("tpq_current_call", default=None)


def current_call() -> CurrentCall | None:
    """The call that this thread runs; None outside of tasks."""
    return running.get()
