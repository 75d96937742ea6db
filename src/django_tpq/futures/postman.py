"""Takes results to a cache and rings, in a thread of its own: a slow cache holds no transaction open.

The round is short: at most `LIMIT` results wait; who brings more waits with them.
"""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.core.cache import caches
from django.db import close_old_connections, connections

from django_tpq.futures.results import ResultStore
from tpq.results import Result, ring

__all__ = ["Postman"]

logger = logging.getLogger("django_tpq.postman")

LIMIT = 200
PATIENCE = 2.0
"""Seconds that the claim loop waits for a slow cache before it goes on with a longer line."""


class Postman:
    """One process's postman; its thread starts with the first result.

    Args:
        store: where results go.
        connect: opens the connection to ring on.
    """

    def __init__(self, store: ResultStore, connect: Callable[[], psycopg.Connection[Any]]) -> None:
        self._store = store
        self._connect = connect
        self._bag: queue.Queue[Sequence[Result] | None] = queue.Queue()
        self._waiting = 0
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._is_in_trouble = False

    def take(self, results: Sequence[Result]) -> None:
        """Take results over. Waits a little when too many wait already."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="tpq-postman", daemon=True)
            self._thread.start()
        deadline = time.monotonic() + PATIENCE
        while self._waiting > LIMIT and time.monotonic() < deadline:
            time.sleep(0.005)
        with self._lock:
            self._waiting += len(results)
        self._bag.put(results)

    def close(self, patience: float) -> None:
        """Deliver what waits, for so many seconds at most."""
        if self._thread is not None:
            self._bag.put(None)
            self._thread.join(patience)

    def _run(self) -> None:
        while (results := self._bag.get()) is not None:
            try:
                close_old_connections()  # of a cache in a database, which may have been restarted
                self._store.put(results, self._cursor)
                self._ring(results)
                if self._is_in_trouble:
                    logger.info("results are delivered again")
                self._is_in_trouble = False
            except Exception as error:  # noqa: BLE001 - any cache may fail in its own way; the calls are done
                log = logger.debug if self._is_in_trouble else logger.error
                log("%s results are lost, the cache fails: %s", len(results), error)
                self._is_in_trouble = True
            with self._lock:
                self._waiting -= len(results)
        if self._connection is not None:
            self._connection.close()
        connections.close_all()
        caches.close_all()

    def _ring(self, results: Sequence[Result]) -> None:
        """Without the bell the waiters poll, so its failing is no trouble."""
        try:
            ring(self._cursor, [result.token for result in results])
        except psycopg.Error:
            self._connection = None

    def _cursor(self) -> Any:
        if self._connection is None or self._connection.closed:
            self._connection = self._connect()
        return self._connection.cursor()
