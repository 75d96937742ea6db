"""An executor: a supervisor and its processes. It starts and replaces them, beats for them, and takes back what
the dead held, its own children's at once.
"""

import logging
import os
import select
import signal
import socket
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import psycopg

from django_tpq import __version__
from django_tpq.futures.calls import Claimed
from django_tpq.futures.child import CUT_SHORT, ENDED
from django_tpq.futures.executor import tables
from django_tpq.futures.losses import deliver_losses
from django_tpq.futures.process import Plan, Process
from django_tpq.main.connections import connect
from tpq.backoff import RECONNECT, Exponential
from tpq.heartbeat import BEAT, Beat, Heart

__all__ = ["LAST_RESORT", "Supervisor"]

logger = logging.getLogger("django_tpq.executor")

SHORT_LIFE = 10.0
"""Seconds of life before which a process's death is a quick one."""
QUICK_CRASHES = 10
"""Quick deaths in a row after which the next start waits longer and longer."""
START_LIMIT = 120.0
"""Seconds a process may take to start."""
NEWS = 0.5
"""Seconds between beats at least, when something else runs than was told with the last."""
LAST_RESORT = 7.0
"""Seconds that a process which was told to stop has to end after its calls' time is over; then it is killed."""


class Supervisor:
    """Runs a plan until it is done or told to stop.

    Args:
        plan: what to do.
        on_ready: called once, when every process has started.
    """

    def __init__(self, plan: Plan, on_ready: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self._on_ready: Callable[[], None] | None = on_ready
        self._children: list[Process] = []
        self._heart: Heart[Claimed] | None = None
        self._connection: psycopg.Connection[Any] | None = None
        self._failures = self._crashes = 0
        self._next_try = self._next_spawn = self._beaten_at = 0.0
        self._backoff, self._stops, self._kill_at = Exponential(), 0, float("inf")
        self._told: list[Counter[str]] = []
        self._has_drained, self._care, self._code = False, 0, 0
        self._read, self._write = os.pipe()

    def run(self) -> int:
        """Supervise; the exit code: 0, 1 (no start, no way on), or 75 (told to stop while the database was away)."""
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
        while sum(not child.board.is_retiring for child in self._children) < self.plan.processes:
            self._children.append(Process.start(self.plan, care=self._care))
            logger.info("process %s started", self._children[-1].pid)

    def _reap(self) -> None:
        for child in list(self._children):
            child.was_ready = child.was_ready or child.board.is_ready
            code = child.code
            if code is None:
                self._hurry(child)
                if child.has_fallen_silent and not self._failures:  # with the database away it is no wonder
                    child.tell()
            elif self._bury(child, code):
                self._children.remove(child)
                child.close()

    def _hurry(self, child: Process) -> None:
        """Kill a process that does not start, or does not end: a call may hold Python's lock."""
        now = time.monotonic()
        if not child.was_ready and now - child.started_at > START_LIMIT:
            logger.error("process %s did not start within %s s", child.pid, START_LIMIT)
            child.kill()
        elif now > self._kill_at and not child.was_cut_short:
            logger.error("process %s does not end: it is killed, its calls are given back", child.pid)
            child.was_cut_short = True
            child.kill()

    def _bury(self, child: Process, code: int) -> bool:
        """See to a dead process; False: the database is away, try again."""
        if not self._give_back(child, code):
            return False
        if code == ENDED:
            logger.info("process %s ended", child.pid)
            if self.plan.drain and child.board.state:
                self._fail()  # it could not go on, nor would another
            elif self.plan.drain and self._is_empty(child):
                self._has_drained = True
        elif self._stops or (child.board.is_retiring and not self._has_drained):
            logger.info("process %s ended (%s)", child.pid, child.reason)
        elif not child.was_ready and self._on_ready is not None:
            logger.error("process %s could not start", child.pid)
            self._fail()
        else:
            self._has_drained = False  # what it held is to be run, too
            self._after_a_crash(child)
        return True

    def _fail(self) -> None:
        self._code = 1
        self._stop()

    def _after_a_crash(self, child: Process) -> None:
        lived_long = child.was_ready and time.monotonic() - child.started_at > SHORT_LIFE
        self._crashes = 0 if lived_long else self._crashes + 1
        self._care = child.care_after(self._crashes)
        too_many = self._crashes - QUICK_CRASHES
        pause = self._backoff.delay(too_many).total_seconds() if too_many > 0 else 0.0
        self._next_spawn = time.monotonic() + pause
        logger.error("process %s died (%s), another takes its place", child.pid, child.reason)

    def _is_empty(self, child: Process) -> bool:
        """Whether nothing is left for another process to drain."""
        if not self.plan.max_tasks and not child.board.is_retiring:
            return True
        if self._connection is None:
            return False
        try:
            return not any(table.count() for table in tables(self.plan.queues, self._connection).values())
        except psycopg.Error as error:
            self._database_is_away(error)
            return False

    def _give_back(self, child: Process, code: int) -> bool:
        """Take back what a dead process held; whether that is done, or left to others."""
        if not child.consumer:
            return True
        if self._heart is None:
            return self._leaves_it()
        try:
            if code == ENDED:
                self._heart.leave([child.consumer])
            else:
                self._deliver(self._heart.bury(child.consumer, child.begun(self.plan.queues)))
        except psycopg.Error as error:
            self._database_is_away(error)
            return self._leaves_it()
        child.consumer = 0
        return True

    def _leaves_it(self) -> bool:
        if self._stops and not self._code:
            self._code = CUT_SHORT
            logger.warning("ending while the database is away: others take back what was held here")
        return bool(self._stops)

    # The database -----------------------------------------------------------------------------------------

    def _minding_the_database(self) -> None:
        if time.monotonic() < self._next_try:
            return
        try:
            heart = self._heart or self._open_heart()
            self._register(heart)
            if self._is_time_to_beat():
                self._beat(heart)
            self._deliver(heart.look())
            self._database_is_there()
        except (psycopg.Error, OSError) as error:
            self._database_is_away(error)

    def _is_time_to_beat(self) -> bool:
        """Every few seconds, and sooner when something else runs than was told last."""
        since = time.monotonic() - self._beaten_at
        return since >= BEAT or (since >= NEWS and self._census() != self._told)

    def _census(self) -> list[Counter[str]]:
        return [child.board.running() for child in self._children]

    def _open_heart(self) -> Heart[Claimed]:
        self._connection = connect(self.plan.alias)
        self._heart = Heart(self._connection, "tpq_consumer", tables(self.plan.queues, self._connection))
        return self._heart

    def _database_is_there(self) -> None:
        """It has done what it was asked for: one that lets us in and refuses the rest is not back yet."""
        if self._failures:
            logger.info("the database is back")
        self._failures = 0

    def _database_is_away(self, error: Exception) -> None:
        self._failures += 1
        if self._failures == 1:
            logger.warning("the database is away: %s", " ".join(str(error).split()))
        if self._connection is not None:
            self._connection.close()
        self._heart, self._connection, self._beaten_at = None, None, 0.0
        self._next_try = time.monotonic() + RECONNECT.delay(self._failures).total_seconds()

    def _register(self, heart: Heart[Claimed]) -> None:
        for child in self._children:
            if not child.consumer and child.code is None:
                moment = time.monotonic()
                host = socket.gethostname()[:255]
                child.consumer = heart.register(host, child.pid, __version__, self.plan.queues)
                child.board.beaten(moment)
                child.board.consumer = child.consumer
                self._beaten_at = 0.0

    def _beat(self, heart: Heart[Claimed]) -> None:
        living = [child for child in self._children if child.consumer and child.deserves_a_beat]
        moment = time.monotonic()
        beats = [Beat(child.consumer, child.board.running(), child.board.state) for child in living]
        self._told = self._census()
        held = heart.beat(beats)
        self._beaten_at = moment
        for child in living:
            if child.consumer in held:
                child.board.beaten(moment)
            else:
                logger.warning("process %s was taken for dead by others: its claims are lost", child.pid)
                child.consumer = child.board.consumer = 0

    def _deliver(self, moved: Sequence[Any]) -> None:
        if moved:
            assert self._connection is not None  # noqa: S101 - something was moved on it
            deliver_losses(self._connection, moved)

    # Signals, waiting, the end ----------------------------------------------------------------------------

    def _catch_signals(self) -> None:
        os.set_blocking(self._write, False)
        self._woke = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        caught = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)
        self._handlers = {number: signal.signal(number, lambda number, frame: None) for number in caught}

    def _release_signals(self) -> None:
        """Whoever has run us by `call_command` gets his Ctrl-C back."""
        for number, handler in self._handlers.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
        signal.set_wakeup_fd(self._woke)
        os.close(self._read)
        os.close(self._write)

    def _sleep(self) -> None:
        starting = self._on_ready is not None or any(not child.consumer for child in self._children)
        ready, _, _ = select.select([self._read], [], [], 0.05 if starting else 0.25)
        for number in os.read(self._read, 64) if ready else b"":
            if number in (signal.SIGTERM, signal.SIGINT):
                self._stop()

    def _stop(self) -> None:
        self._stops += 1
        if self._stops == 1 and not self._code:
            logger.info("stopping: running calls have %s s to end", self.plan.grace)
        if self._stops == 2:
            logger.info("stopping at once: running calls are given back")
        left = self.plan.grace if self._stops == 1 else 0.0
        self._kill_at = min(self._kill_at, time.monotonic() + left + LAST_RESORT)
        for child in self._children:
            if self._stops > 1:
                child.board.hurry()
            child.terminate()

    def _announce(self) -> None:
        is_up = self._children and all(child.consumer and child.board.is_ready for child in self._children)
        if self._on_ready is not None and is_up and not self._code:
            self._on_ready()
            self._on_ready = None

    def _end(self) -> None:
        for child in self._children:  # only after an error of our own
            child.kill()
        if self._connection is not None:
            self._connection.close()
        self._release_signals()
