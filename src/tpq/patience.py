"""A deadline of our own for what the server answers: a hung one keeps its clients waiting for ever.

No timeout of the server's, and none of TCP's, helps against a machine whose kernel still answers: `statement_timeout`
is kept by the one that hangs. So a thread of the process looks once a second for who has waited too long, and shuts
the socket, which ends the wait at once, also one inside libpq.
"""

import contextlib
import logging
import os
import socket
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

import psycopg

__all__ = ["PatientConnection", "minded", "waiting"]

logger = logging.getLogger("tpq.patience")

LOOK = 1.0
"""Seconds between looks."""
NEVER = float("inf")


class PatientConnection(psycopg.Connection[Any]):
    """A connection that knows since when it waits for an answer."""

    asked_at: float = NEVER
    """The moment (monotonic); infinity: it waits for nothing."""

    def wait(self, *args: Any, **options: Any) -> Any:
        """As psycopg's."""
        with waiting(self):
            return super().wait(*args, **options)


@contextlib.contextmanager
def waiting(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """For the length of the block the connection waits for an answer."""
    about = vars(connection)
    about["asked_at"] = time.monotonic()
    try:
        yield
    finally:
        about["asked_at"] = NEVER


def minded(connection: PatientConnection, seconds: float) -> PatientConnection:
    """Let a connection wait no longer than so many seconds for an answer; the connection.

    Who waits longer gets the error of a connection that broke.
    """
    _watch.mind(connection, seconds)
    return connection


class _Watch:
    """Looks for connections that wait too long."""

    def __init__(self) -> None:
        self._minded: weakref.WeakKeyDictionary[PatientConnection, float] = weakref.WeakKeyDictionary()
        self._lock = threading.Lock()
        self._pid = 0

    def mind(self, connection: PatientConnection, seconds: float) -> None:
        with self._lock:
            self._minded[connection] = seconds
            if self._pid != os.getpid():  # a thread stays behind in the parent
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="tpq-patience", daemon=True).start()

    def _run(self) -> None:
        while True:
            time.sleep(LOOK)
            with self._lock:
                minded = list(self._minded.items())
            for connection, seconds in minded:
                if time.monotonic() - connection.asked_at > seconds:
                    _give_up(connection, seconds)
            del minded  # a reference would keep the last one


def _give_up(connection: PatientConnection, seconds: float) -> None:
    since = connection.asked_at
    try:
        file = os.dup(connection.pgconn.socket)
    except (OSError, psycopg.Error):  # it has just ended
        return
    with socket.socket(fileno=file) as line:
        if connection.asked_at == since != NEVER:  # its number did not become another's meanwhile
            logger.warning("no answer from the database for %g s: the connection is given up", seconds)
            line.shutdown(socket.SHUT_RDWR)
            connection.asked_at = NEVER


_watch = _Watch()
