"""What calls of this process say of their progress, kept until it is written: the latest of each, twice a second."""

import threading
import time
from datetime import timedelta

import psycopg

from django_tpq.conf import settings
from django_tpq.futures.calls import Claimed
from django_tpq.futures.context import Progress
from tpq.progress import ProgressTable

__all__ = ["TABLE", "Reports"]

TABLE = "tpq_progress"
PAUSE = 0.5
"""Seconds between writes."""
TEXT_LIMIT = 1000


class Reports:
    """The latest of each call that has said something since the last write."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._latest: dict[str, tuple[float, float | None, str]] = {}
        self._written_at = 0.0

    def take(self, call: Claimed, progress: Progress) -> None:
        """A call has come so far. From any thread."""
        with self._lock:
            self._latest[call.token] = progress.done, progress.total, progress.text[:TEXT_LIMIT]

    @property
    def is_due(self) -> bool:
        """Whether there is something to write, and it is time."""
        return bool(self._latest) and time.monotonic() - self._written_at >= PAUSE

    def flush(self, connection: psycopg.Connection) -> None:
        """Write them; after an error they are still here, unless there are newer ones."""
        if not self._latest:
            return
        with self._lock:
            latest, self._latest = self._latest, {}
        try:
            ProgressTable(TABLE, connection.cursor).put(latest)
        except psycopg.Error:
            with self._lock:
                self._latest = latest | self._latest
            raise
        self._written_at = time.monotonic()

    def purge(self, connection: psycopg.Connection, count: int) -> int:
        """Forget some of what is as old as results grow; how many."""
        return ProgressTable(TABLE, connection.cursor).purge(timedelta(seconds=settings.RESULT_TTL), count)
