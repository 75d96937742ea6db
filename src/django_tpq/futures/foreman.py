"""One worker process as its executor has it: given calls, watched while they run, ended, and replaced.

A worker is told to end a call by SIGTERM, which its task sees as an exception, and has a few seconds for that;
then it is killed. Where it was is written by the worker itself, from a handler in C: it is known whatever it does.
"""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

from django_tpq.futures.calls import Claimed
from django_tpq.futures.carried import options_of
from django_tpq.futures.codecs import codec
from django_tpq.futures.context import Progress
from django_tpq.futures.deadlines import LAST_SECONDS
from django_tpq.futures.endings import given_up, lost, raised
from django_tpq.futures.errors import CallCancelled, CallTimeout, MemoryExceeded
from django_tpq.futures.launch import start_command
from django_tpq.futures.memory import resident
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.outcomes import Outcome, Postponed, Settled, Success
from django_tpq.futures.registry import find, finder
from django_tpq.futures.worker import BEGUN, ENDED, PROGRESS, READY, TELL
from tpq.board import memory_file

__all__ = ["Foreman", "Terms"]

logger = logging.getLogger("django_tpq.executor")

TURN = 0.1
"""Seconds between looks at the clock, at the memory and whether the call was cancelled."""
START_LIMIT = 120.0
"""Seconds that a worker may take to start."""
TELLING = 1.0
"""Seconds that it may take to write where it is."""
STACK_LIMIT = 20_000


class Terms(NamedTuple):
    """How workers work."""

    arguments: Sequence[str]
    """Of the command that starts one."""
    max_tasks: int | None = None
    """Calls after which one is replaced."""
    max_memory: int | None = None
    """Bytes that one may take."""


class Foreman:
    """Runs calls in one worker after the other, in the thread that calls it.

    Args:
        terms: how workers work.
        report: where progress goes.
    """

    def __init__(self, terms: Terms, report: Callable[[Claimed, Progress], Any]) -> None:
        self._terms, self._report = terms, report
        self._popen: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None
        self._file = -1
        self._done = 0
        self._is_cancelled = self._is_over = False
        self.has_verified = False
        """Whether a worker has seen a right signature."""

    def run(
        self,
        call: Claimed,
        is_cancelled: Callable[[Claimed], bool] = lambda call: False,
        is_ours: Callable[[], bool] = lambda: True,
    ) -> Outcome | None:
        """Run a call; what it ended with. Raises nothing.

        Args:
            is_ours: asked when a worker has come up: that takes a while, in which the executor may have been taken for
                dead. If it is not, the call does not begin, and there is no outcome.
        """
        self._is_cancelled, started = False, time.monotonic()
        if is_cancelled(call):
            return given_up(call, CallCancelled(f"task {call.task}: call {call.call} was cancelled"), started)
        try:
            if not self._give(call, is_ours):
                return None
        except (OSError, EOFError) as error:
            self.close()
            logger.error("a worker process could not start: %s", error)
            return Postponed(timedelta(seconds=5), "its worker process could not start")
        try:
            outcome = self._watched(call, started)
        except (OSError, EOFError):
            outcome = self._died(call, started)
        self._done += 1
        if self._is_spent:
            self.close()
        return outcome

    def kill(self) -> None:
        """End the worker for good. From any thread."""
        self._is_over = True
        if self._popen is not None:
            self._popen.kill()

    def cancel(self) -> None:
        """End the call that runs. From any thread."""
        self._is_cancelled = True

    def close(self) -> None:
        """End the worker, whatever it does."""
        if self._popen is not None:
            self._popen.kill()
            self._popen.wait()
            self._popen = None
        if self._connection is not None:
            self._connection.close()
            os.close(self._file)
            self._connection = None

    # The worker -------------------------------------------------------------------------------------------

    def _give(self, call: Claimed, is_ours: Callable[[], bool]) -> bool:
        """Give a call to the worker that is there, or to a new one: it may have died since the last."""
        if self._connection is not None:
            try:
                self._connection.send(tuple(call))
            except OSError:
                self.close()
            else:
                return True
        self._start()
        assert self._connection is not None  # noqa: S101 - it was just started
        if is_ours():
            self._connection.send(tuple(call))
            return True
        return False

    def _start(self) -> None:
        ours, theirs = socket.socketpair()
        self._connection, self._file, self._done = Connection(ours.detach()), memory_file("tpq-stack"), 0
        files = f"--worker={theirs.fileno()},{self._file}"
        self._popen = start_command(
            [*self._terms.arguments, files], pass_fds=(theirs.fileno(), self._file), process_group=0
        )
        theirs.close()
        if not self._connection.poll(START_LIMIT) or self._connection.recv()[0] != READY:
            raise OSError(f"it did not come up within {START_LIMIT:g} s")

    @property
    def _is_spent(self) -> bool:
        terms = self._terms
        if self._popen is None or (terms.max_tasks and self._done >= terms.max_tasks):
            return True
        return bool(terms.max_memory) and (resident(self._popen.pid) or 0) > (terms.max_memory or 0)

    # One call ---------------------------------------------------------------------------------------------

    def _watched(self, call: Claimed, started: float) -> Outcome:
        deadline, seconds = float("inf"), 0.0
        while True:
            word, value = self._hear(call, min(TURN, max(0.0, deadline - time.monotonic())))
            if word == BEGUN and value is not None:
                seconds, deadline = value, time.monotonic() + value
            elif word == PROGRESS:
                self._report(call, Progress(*value))
            elif word == ENDED:
                return self._ended(value)
            reason: Exception
            if self._is_cancelled:
                reason = CallCancelled(f"task {call.task}: call {call.call} was cancelled while it ran")
                return self._interrupted(call, reason, started)
            if time.monotonic() > deadline:
                return self._interrupted(
                    call,
                    CallTimeout(self._told(call, f"ran longer than its timeout of {seconds:g} s")),
                    started,
                )
            if self._is_too_large:
                limit = (self._terms.max_memory or 0) >> 20
                reason = MemoryExceeded(self._told(call, f"made its process larger than {limit} MiB"))
                return self._interrupted(call, reason, started, patience=0.0)

    def _hear(self, call: Claimed, seconds: float) -> tuple[str, Any]:
        """What the worker says of a call; nothing, if it says nothing or speaks of another.

        Raises:
            EOFError: it has died. What it has forked may hold its end of the connection.
        """
        connection, popen = self._connection, self._popen
        assert connection is not None and popen is not None  # noqa: S101, PT018 - a call runs
        has_died = popen.poll() is not None  # before the last look, so that nothing is missed
        if connection.poll(0 if has_died else seconds):
            word, key, value = connection.recv()
            return (word, value) if key == call.key else ("", None)
        if has_died:
            raise EOFError
        return "", None

    def _ended(self, value: Any) -> Outcome:
        outcome, has_verified = value
        self.has_verified = self.has_verified or has_verified
        return outcome  # type: ignore[no-any-return]

    @property
    def _is_too_large(self) -> bool:
        limit = self._terms.max_memory
        return bool(limit and self._popen) and (resident(self._popen.pid) or 0) > limit  # type: ignore[operator,union-attr]

    def _told(self, call: Claimed, what: str) -> str:
        return f"task {call.task}: call {call.call} {what} (attempt {call.attempt + 1}); it was here:\n{self._stack()}"

    def _interrupted(
        self, call: Claimed, error: Exception, started: float, patience: float = LAST_SECONDS
    ) -> Outcome:
        """End a call, and the worker with it; if it had ended just before, that counts."""
        outcome = self._last_word(call, patience) if patience else None
        self.close()
        if isinstance(outcome, Success | Settled):
            return outcome
        return raised(_options(call), call, codec("json"), error, started)

    def _last_word(self, call: Claimed, patience: float) -> Outcome | None:
        assert self._popen is not None  # noqa: S101 - a call runs
        self._popen.terminate()
        until = time.monotonic() + patience
        with contextlib.suppress(OSError, EOFError):
            while (left := until - time.monotonic()) > 0:
                word, value = self._hear(call, left)
                if word == ENDED:
                    return self._ended(value)
        return None

    def _died(self, call: Claimed, started: float) -> Outcome:
        code = None if self._popen is None else self._popen.wait()
        self.close()
        reason = f"exit code {code}" if code is None or code >= 0 else signal.Signals(-code).name
        log = logger.debug if self._is_over else logger.error
        log("the worker of call %s of %s died (%s), another takes its place", call.call, call.task, reason)
        return lost(call, reason, started)

    def _stack(self) -> str:
        """Where the worker is now."""
        assert self._popen is not None  # noqa: S101 - a call runs
        os.ftruncate(self._file, 0)
        os.lseek(self._file, 0, os.SEEK_SET)
        self._popen.send_signal(TELL)
        until, text = time.monotonic() + TELLING, b""
        while time.monotonic() < until and not (
            text.endswith(b"\n") and len(text) == os.fstat(self._file).st_size
        ):
            time.sleep(0.01)
            text = os.pread(self._file, STACK_LIMIT, 0)
        return _readable(text.decode(errors="replace"))


def _readable(dump: str) -> str:
    """The lines of a dump of faulthandler's that are the task's, the innermost last as in a traceback."""
    lines = [line for line in dump.splitlines() if line.lstrip().startswith("File ")]
    ours = next((i for i, line in enumerate(lines) if "django_tpq/futures/runner.py" in line), len(lines))
    theirs = [line for line in lines[:ours] if "django_tpq/futures/" not in line]
    return "\n".join(reversed(theirs)) or dump.strip() or "(nowhere to be seen)"


def _options(call: Claimed) -> TaskOptions:
    """The options of a call whose signature the worker has found to be right."""
    try:
        task = (finder(call.headers) or find)(call.task)
    except Exception:  # noqa: BLE001 - importing a module runs its code
        return options_of(TaskOptions(), call.headers)
    return options_of(task.options, call.headers)
