"""Which call a log line is of: its id, its task and its attempt on each record, for formatters and log servers."""

import logging

from django_tpq.futures.context import current_call

__all__ = ["CallFilter", "context"]


def context() -> dict[str, str | int]:
    """`call`, `task` and `attempt` of the call that runs here; empty outside of tasks. For structlog and its like."""
    call = current_call()
    return {"call": call.id, "task": call.task, "attempt": call.attempt} if call else {}


class CallFilter(logging.Filter):
    """Puts `call`, `task` and `attempt` on each record, and lets all pass; outside of tasks they are `-`.

    In LOGGING it goes to handlers, not to loggers: a logger's filter does not see what its children log. What a record
    has of these already, by `extra`, stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Put them on a record."""
        known = context()
        for name in ("call", "task", "attempt"):
            if not hasattr(record, name):
                setattr(record, name, known.get(name, "-"))
        return True
