"""A process that runs the calls of tasks with `executor="process"`, one by one, for the executor that started it.

It reads calls from a connection and writes outcomes to it. Whatever becomes of it, its executor knows what to say of
the call: it may be killed at any moment.
"""

import contextlib
import ctypes
import faulthandler
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from django_tpq.futures.atomically import Atomic
from django_tpq.futures.calls import Claimed
from django_tpq.futures.context import Progress
from django_tpq.futures.deadlines import Interruption
from django_tpq.futures.delivery import Delivery
from django_tpq.futures.loading import load_tasks
from django_tpq.futures.outcomes import Outcome, Success
from django_tpq.futures.postman import Postman
from django_tpq.futures.results import store
from django_tpq.futures.runner import Ready, Runner
from django_tpq.futures.tidying import suspect, tidy
from django_tpq.main.connections import connect
from tpq.tally import Tally

__all__ = ["BEGUN", "ENDED", "PROGRESS", "READY", "TELL", "run_worker"]

READY, BEGUN, PROGRESS, ENDED = "ready", "begun", "progress", "ended"
"""What it says: it can take calls; its call begins; how far it is; what it ended with."""
TELL = signal.SIGUSR2
"""The signal that makes it write where it is to its second file, whoever holds Python's lock."""
PAUSE = 0.1
"""Seconds between two words about progress."""
WATCH = 0.2
"""Seconds between looks whether the executor lives."""
DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of Linux' prctl."""


class _Worker:
    def __init__(self, connection: Connection, alias: str) -> None:
        self._connection = connection
        delivery = Delivery(Tally("tpq_tally"), Postman(store(), lambda: connect(alias)))
        self._runner = _Telling(self._say, atomically=Atomic(delivery), report=self._report)
        self.is_running = False
        self._lock = threading.Lock()
        self._latest: Progress | None = None
        self._call: Claimed | None = None
        self._pid = os.getpid()
        self._told_at = 0.0

    def run(self) -> None:
        """Take calls until there is nobody who gives any."""
        self._connection.send((READY, None, None))
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._run(Claimed(*self._connection.recv()))

    def _run(self, call: Claimed) -> None:
        self._call = call
        outcome: Outcome | None = None
        try:
            self.is_running = True
            outcome = self._runner.run(call)
            self.is_running = False
        except Interruption:
            self.is_running = False
        if not isinstance(outcome, Success):
            suspect()
        tidy()
        with self._lock:
            self._tell()
            self._say(ENDED, (outcome, self._runner.has_verified))

    def _report(self, call: Claimed, progress: Progress) -> None:
        """Any thread of the task may say so, as often as it likes: what is too much is kept for the end."""
        with self._lock:
            if call is not self._call:
                return  # a thread that a call has left behind
            self._latest = progress
            if time.monotonic() - self._told_at > PAUSE:
                self._tell()

    def _tell(self) -> None:
        if self._latest is not None:
            self._say(PROGRESS, tuple(self._latest))
            self._latest, self._told_at = None, time.monotonic()

    def _say(self, word: str, value: Any) -> None:
        """Say something of the call that runs. What a task has forked is no worker, though it comes back here."""
        if os.getpid() != self._pid:
            os._exit(1)
        self._connection.send((word, self._call and self._call.key, value))

    def interrupt(self, number: int, frame: Any) -> None:
        """The executor wants the call to end: let it clear up. Between calls it does not mean us."""
        if self.is_running:
            self.is_running = False
            raise Interruption


class _Telling(Runner):
    """A runner that says when a call begins, and how long it may take: the executor watches the clock."""

    def __init__(self, say: Callable[[str, Any], None], **options: Any) -> None:
        super().__init__(**options)
        self._say = say

    def read(self, call: Claimed) -> "Ready | Outcome":
        ready = super().read(call)
        if isinstance(ready, Ready):
            self._say(BEGUN, ready.options.seconds)
        return ready


def run_worker(files: tuple[int, int], alias: str) -> int:
    """Run calls until the executor that started this process ends it.

    Args:
        files: the descriptors of the connection, and of where to write where it is.
        alias: the database of the queues.
    """
    _die_with_parent(os.getppid())
    faulthandler.register(TELL, file=files[1], all_threads=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_tasks()
    worker = _Worker(Connection(files[0]), alias)
    signal.signal(signal.SIGTERM, worker.interrupt)
    worker.run()
    sys.stdout.flush()
    os._exit(0)


def _die_with_parent(parent: int) -> None:
    """Without its executor, a call is another's: it must not run on."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
    threading.Thread(target=_watch, args=(parent,), name="tpq-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(WATCH)
    os._exit(1)
