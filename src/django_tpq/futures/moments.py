"""Moments while a test moves the clock (`django_tpq.testing.clock`). The server's clock is not moved, its rows are."""

from contextvars import ContextVar
from datetime import datetime, timedelta

__all__ = ["ahead", "on_the_servers_clock"]

ahead: ContextVar[timedelta] = ContextVar("tpq_ahead", default=timedelta(0))
"""By how much what counts as now here is ahead of the server's clock."""


def on_the_servers_clock(moment: datetime) -> datetime:
    """When the server's clock says that it is the moment."""
    return moment - ahead.get()
