"""An executor: a supervisor and its processes. It starts and replaces them, beats for them, and takes back what
the dead held, its own children's at once.
"""

import contextlib
import logging
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg

from django_tpq import __version__
from django_tpq.futures.calls import Claimed
from django_tpq.futures.child import CUT_SHORT, ENDED
from django_tpq.futures.executor import tables
from django_tpq.futures.launch import start_command
from django_tpq.futures.losses import deliver_losses
from django_tpq.main.connections import connect
from tpq.backoff import Exponential
from tpq.board import Board
from tpq.heartbeat import BEAT, Beat, Heart

__all__ = ["Plan", "Supervisor"]

logger = logging.getLogger("django_tpq.executor")

STUCK = 30.0
"""Seconds without a turn of its claim loop, and without a running call, after which a process gets no beat."""
SHORT_LIFE = 10.0
"""Seconds of life before which a process's death is a quick one."""
ABORTED = 256
"""Not a process's exit code: a task called `os._exit` with one of ours."""
QUICK_CRASHES = 10
"""Quick deaths in a row after which the next start waits longer and longer."""
START_LIMIT = 120.0
"""Seconds a process may take to start."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an executor is to do."""

    alias: str
    queues: Sequence[str]
    threads: int = 8
    processes: int = 1
    grace: float = 30.0
    drain: bool = False
    max_tasks: int | None = None
    options: Sequence[str] = ()
    """Options of Django's own that its processes are started with (`--settings` and the like)."""


@dataclass
class _Child:
    process: "subprocess.Popen[bytes]"
    board: Board
    alive: int
    """Our end of the pipe that tells it that we live."""
    consumer: int = 0
    started_at: float = field(default_factory=time.monotonic)
    was_ready: bool = False


class Supervisor:
    """Runs a plan until it is done or told to stop.

    Args:
        plan: what to do.
        on_ready: called once, when every process has started.
    """

    def __init__(self, plan: Plan, on_ready: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self._on_ready: Callable[[], None] | None = on_ready
        self._children: list[_Child] = []
        self._heart: Heart[Claimed] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._failures = self._crashes = 0
        self._next_try = self._next_spawn = self._beaten_at = 0.0
        self._backoff = Exponential()
        self._stops = 0
        self._has_drained = False
        self._code = 0
        self._read, self._write = os.pipe()

    def run(self) -> int:
        """Supervise; the exit code: 0, or 1 when no process could start."""
        self._catch_signals()
        try:
            while not self._is_over():
                self._reap()
                self._spawn()
                self._minding_the_database()
                self._announce()
                self._sleep()
        finally:
            self._end()
        return self._code

    def _is_over(self) -> bool:
        return not self._children and bool(self._stops or self._has_drained or self._code)

    # Processes --------------------------------------------------------------------------------------------

    def _spawn(self) -> None:
        if self._stops or self._has_drained or self._code or time.monotonic() < self._next_spawn:
            return
        while len(self._children) < self.plan.processes:
            self._children.append(self._start())

    def _start(self) -> _Child:
        board = Board.create(self.plan.threads)
        alive_read, alive_write = os.pipe()
        plan = self.plan
        arguments = [f"--threads={plan.threads}", f"--database={plan.alias}", f"--grace={plan.grace}"]
        arguments += [f"--queue={name}" for name in plan.queues]
        arguments += ["--drain"] if plan.drain else []
        arguments += [f"--max-tasks={plan.max_tasks}"] if plan.max_tasks else []
        arguments += [f"--child={board.file},{alive_read}", *plan.options]
        # A group of its own: Ctrl-C in a terminal reaches the supervisor only, which tells its processes.
        process = start_command(arguments, pass_fds=(board.file, alive_read), process_group=0)
        os.close(alive_read)
        logger.info("process %s started", process.pid)
        return _Child(process, board, alive_write)

    def _reap(self) -> None:
        for child in list(self._children):
            code = child.process.poll()
            child.was_ready = child.was_ready or child.board.is_ready
            if code is None and not child.was_ready and time.monotonic() - child.started_at > START_LIMIT:
                logger.error("process %s did not start within %s s", child.process.pid, START_LIMIT)
                child.process.kill()
            if code is not None and self._bury(child, code):
                self._children.remove(child)
                child.board.close()
                with contextlib.suppress(OSError):
                    os.close(child.alive)

    def _bury(self, child: _Child, code: int) -> bool:
        """See to a dead process; False: the database is away, try again."""
        if code in (ENDED, CUT_SHORT) and not child.board.has_left:
            code = ABORTED
        if not self._give_back(child, code):
            return False
        if code == ENDED:
            self._has_drained = self._has_drained or (self.plan.drain and not self.plan.max_tasks)
            self._has_drained = self._has_drained or (self.plan.drain and self._is_empty())
            logger.info("process %s ended", child.process.pid)
        elif not child.was_ready and not self._on_ready_done:
            logger.error("process %s could not start", child.process.pid)
            self._code = 1
        elif not self._stops:
            lived_long = child.was_ready and time.monotonic() - child.started_at > SHORT_LIFE
            self._crashes = 0 if lived_long else self._crashes + 1
            too_many = self._crashes - QUICK_CRASHES
            pause = self._backoff.delay(too_many).total_seconds() if too_many > 0 else 0.0
            self._next_spawn = time.monotonic() + pause
            logger.error("process %s died (%s), another takes its place", child.process.pid, _reason(code))
        return True

    @property
    def _on_ready_done(self) -> bool:
        return self._on_ready is None

    def _is_empty(self) -> bool:
        assert self._connection is not None  # noqa: S101 - its claims have just been given back
        return all(not table.count() for table in tables(self.plan.queues, self._connection).values())

    def _give_back(self, child: _Child, code: int) -> bool:
        """Take back what a dead process held; whether that is done."""
        if not child.consumer:
            return True
        if self._heart is None:
            return bool(self._stops)
        try:
            if code == ENDED:
                self._heart.leave([child.consumer])
            else:
                begun = {} if code == CUT_SHORT else _by_name(child.board.to_blame(), self.plan.queues)
                self._deliver(self._heart.bury(child.consumer, begun))
        except psycopg.Error as error:
            self._database_is_away(error)
            return bool(self._stops)
        child.consumer = 0
        return True

    # The database -----------------------------------------------------------------------------------------

    def _minding_the_database(self) -> None:
        if time.monotonic() < self._next_try:
            return
        try:
            heart = self._heart or self._open_heart()
            self._register(heart)
            if time.monotonic() - self._beaten_at >= BEAT:
                self._beat(heart)
            self._deliver(heart.look())
        except (psycopg.Error, OSError) as error:
            self._database_is_away(error)

    def _open_heart(self) -> Heart[Claimed]:
        self._connection = connect(self.plan.alias)
        self._heart = Heart(self._connection, "tpq_consumer", tables(self.plan.queues, self._connection))
        if self._failures:
            logger.info("the database is back")
        self._failures = 0
        return self._heart

    def _database_is_away(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            logger.warning("the database is away: %s", " ".join(str(error).split()))
        if self._connection is not None:
            self._connection.close()
        self._heart, self._connection, self._beaten_at = None, None, 0.0
        self._next_try = time.monotonic() + min(2.0, self._backoff.delay(self._failures).total_seconds())

    def _register(self, heart: Heart[Claimed]) -> None:
        for child in self._children:
            if not child.consumer and child.process.poll() is None:
                moment = time.monotonic()
                host = socket.gethostname()[:255]
                child.consumer = heart.register(host, child.process.pid, __version__, self.plan.queues)
                child.board.beaten(moment)
                child.board.consumer = child.consumer
                self._beaten_at = 0.0

    def _beat(self, heart: Heart[Claimed]) -> None:
        living = [child for child in self._children if child.consumer and _lives(child)]
        moment = time.monotonic()
        beats = [Beat(child.consumer, child.board.running(), child.board.state) for child in living]
        held = heart.beat(beats)
        self._beaten_at = moment
        for child in living:
            if child.consumer in held:
                child.board.beaten(moment)
            else:
                logger.warning(
                    "process %s was taken for dead by others: its claims are lost", child.process.pid
                )
                child.consumer = child.board.consumer = 0

    def _deliver(self, moved: Sequence[Any]) -> None:
        if moved:
            assert self._connection is not None  # noqa: S101 - something was moved on it
            deliver_losses(self._connection, moved)

    # Signals, waiting, the end ----------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        os.set_blocking(self._write, False)
        signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, lambda number, frame: None)

    def _sleep(self) -> None:
        starting = self._on_ready is not None or any(not child.consumer for child in self._children)
        ready, _, _ = select.select([self._read], [], [], 0.05 if starting else 0.25)
        numbers = os.read(self._read, 64) if ready else b""
        for number in numbers:
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()

    def _stop(self) -> None:
        self._stops += 1
        if self._stops == 1:
            logger.info("stopping: running calls have %s s to end", self.plan.grace)
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.process.terminate()

    def _announce(self) -> None:
        is_up = self._children and all(child.consumer and child.board.is_ready for child in self._children)
        if self._on_ready is not None and is_up and not self._code:
            self._on_ready()
            self._on_ready = None

    def _end(self) -> None:
        for child in self._children:  # only after an error of our own
            child.process.kill()
        if self._connection is not None:
            self._connection.close()


def _lives(child: _Child) -> bool:
    """Whether a process deserves a beat: its loop turns, or a call runs (it may hold Python's lock for long)."""
    turned = max(child.board.turned, child.started_at)
    return child.process.poll() is None and (time.monotonic() - turned < STUCK or bool(child.board.running()))


def _by_name(begun: dict[int, list[int]], queues: Sequence[str]) -> dict[str, list[int]]:
    return {queues[index]: numbers for index, numbers in begun.items()}


def _reason(code: int) -> str:
    if code == ABORTED:
        return "a task ended it"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
