"""The life of an actor: turn after turn until the word to stop, whatever the database does."""

import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

from django.db import DatabaseError, InterfaceError, connection
from psycopg import errors

from chaos.actors.names import STOP
from chaos.ledger import Ledger

__all__ = ["AWAY", "forget_connection", "ledger", "live", "may_be_committed"]

AWAY = DatabaseError, InterfaceError
ledger = Ledger(os.environ["CHAOS_LEDGER"])

UNSURE = errors.AdminShutdown, errors.CrashShutdown, errors.CannotConnectNow, errors.IdleSessionTimeout
"""Said by a server that ends: what it was doing may be done."""


def live(turn: Callable[[], object], pause: Callable[[], float] = lambda: 0.0, word: str = STOP) -> None:
    """Take turns until told to stop, by a file of that name. A database error costs the connection and a moment."""
    stop = Path(os.environ["CHAOS_LEDGER"]) / word
    while not stop.exists():
        try:
            turn()
        except AWAY as error:
            print(type(error).__name__, " ".join(str(error).split()), file=sys.stderr, flush=True)
            forget_connection()
            time.sleep(random.uniform(0.05, 0.3))
        time.sleep(pause())


def forget_connection() -> None:
    """Begin anew with the next statement, in whatever state the connection is."""
    connection.close()
    connection.connection = None
    connection.in_atomic_block = False
    connection.savepoint_ids = []
    connection.needs_rollback = False
    connection.closed_in_transaction = False
    connection.run_on_commit = []


def may_be_committed(error: Exception) -> bool:
    """Whether a statement outside of a transaction, or a COMMIT, that failed like this may have been done."""
    cause = error.__cause__
    return isinstance(cause, UNSURE) or getattr(cause, "sqlstate", None) is None
