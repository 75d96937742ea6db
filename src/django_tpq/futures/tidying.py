"""Django's connections of threads that run calls: after each they are as after a request, and in no transaction."""

import logging
import threading
import time
from typing import Any

from django.db import close_old_connections, connections
from django.db.backends.signals import connection_created

__all__ = ["drop", "suspect", "tidy"]

logger = logging.getLogger("django_tpq.executor")

_own = threading.local()


def suspect() -> None:
    """This thread has connections perhaps, and one of them may be broken."""
    _own.has_connections = True


def drop() -> None:
    """Close this thread's connections: it was interrupted, perhaps in the middle of a statement."""
    connections.close_all()


def _opened(**_: Any) -> None:
    """A Django connection was opened in this thread."""
    _own.has_connections = True


connection_created.connect(_opened)


def tidy() -> None:
    """Leave this thread's Django connections as a request would, and none in a transaction that a task left open."""
    now = time.monotonic()
    if not getattr(_own, "has_connections", False) and now < getattr(_own, "tidy_at", 0.0):
        return  # most calls open none
    _own.tidy_at = now + 1.0  # a connection that broke while it was being opened tells nobody
    for connection in connections.all(initialized_only=True):
        if connection.connection is not None and (connection.in_atomic_block or not connection.autocommit):
            logger.warning("a task left a transaction open on %r: it was rolled back", connection.alias)
            connection.close()
            _reset(connection)
    close_old_connections()
    _own.has_connections = any(c.connection is not None for c in connections.all(initialized_only=True))


def _reset(connection: Any) -> None:
    connection.in_atomic_block = False
    connection.savepoint_ids = []
    connection.atomic_blocks = []
    connection.needs_rollback = False
    connection.run_on_commit = []
    connection.connection = None
