"""One process of an executor, as its supervisor has it."""

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from django_tpq.futures.child import CUT_SHORT, ENDED, TELL
from django_tpq.futures.launch import start_command
from django_tpq.futures.places import Places
from tpq.board import Board

__all__ = ["Plan", "Process"]

logger = logging.getLogger("django_tpq.executor")

ABORTED = 256
"""No exit code of a process: it ended with one that is ours to give, but not by its own will."""
SILENT = 10.0
"""Seconds without a turn of its claim loop after which a process is asked where it is."""
FEW_CRASHES = 3
"""Quick deaths in a row after which suspects are started slowly, if it was one of several."""
STUCK = 30.0
"""Seconds without a turn of its claim loop, and without a running call, after which a process gets no beat."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What an executor is to do."""

    alias: str
    queues: Sequence[str]
    places: Places = field(default_factory=Places)
    processes: int = 1
    grace: float = 30.0
    drain: bool = False
    max_tasks: int | None = None
    max_memory: int | None = None
    """Bytes that a process may take."""
    options: Sequence[str] = ()
    """Options of Django's own that its processes are started with (`--settings` and the like)."""


@dataclass(eq=False)
class Process:
    """A child and what it shares with us."""

    popen: "subprocess.Popen[bytes]"
    board: Board
    alive: int
    """Our end of the pipe that tells it that we live."""
    consumer: int = 0
    started_at: float = field(default_factory=time.monotonic)
    was_ready: bool = False
    was_cut_short: bool = False
    """Whether we killed it because it did not end when its time was over."""
    silent_since: float = 0.0
    """The last turn of its claim loop when it was asked where it is; 0: it was not asked."""

    @classmethod
    def start(cls, plan: Plan, *, care: int = 0) -> "Process":
        """Start one; `care`: it is to find out which of some suspects ended the last one (`Board.be_careful`)."""
        board = Board.create(plan.places.slots, apart=plan.places.workers)
        board.be_careful(care)
        alive_read, alive_write = os.pipe()
        arguments = [f"--{place}={count}" for place, count in plan.places._asdict().items()]
        arguments += [f"--database={plan.alias}", f"--grace={plan.grace}"]
        arguments += [f"--queue={name}" for name in plan.queues]
        arguments += ["--drain"] if plan.drain else []
        arguments += [f"--max-tasks={plan.max_tasks}"] if plan.max_tasks else []
        arguments += [f"--max-memory={plan.max_memory}"] if plan.max_memory else []
        arguments += [f"--child={board.file},{alive_read}", *plan.options]
        # A group of its own: Ctrl-C in a terminal reaches the supervisor only, which tells its processes.
        popen = start_command(arguments, pass_fds=(board.file, alive_read), process_group=0)
        os.close(alive_read)
        return cls(popen, board, alive_write)

    def close(self) -> None:
        """Let go of what we shared with a dead one."""
        self.board.close()
        with contextlib.suppress(OSError):
            os.close(self.alive)

    @property
    def pid(self) -> int:
        """Its number."""
        return self.popen.pid

    @property
    def code(self) -> int | None:
        """How it ended; None: it has not. A task that called `os._exit` does not speak for its process."""
        code = self.popen.poll()
        if code is not None and self.was_cut_short:
            return CUT_SHORT
        return ABORTED if code in (ENDED, CUT_SHORT) and not self.board.has_left else code

    @property
    def deserves_a_beat(self) -> bool:
        """Whether its loop turns, or a call runs (it may hold Python's lock for long)."""
        turned = max(self.board.turned, self.started_at)
        return self.code is None and (time.monotonic() - turned < STUCK or bool(self.board.running()))

    @property
    def has_fallen_silent(self) -> bool:
        """Whether its loop does not turn, and it was not asked why since: a call may hold Python's lock."""
        turned = self.board.turned
        return bool(turned) and turned != self.silent_since and time.monotonic() - turned > SILENT

    def tell(self) -> None:
        """Let it write to its stderr where its threads are."""
        self.silent_since = self.board.turned
        names = ", ".join(sorted(self.board.running())) or "nothing"
        logger.warning("process %s has not claimed or settled for a while; it runs %s", self.pid, names)
        with contextlib.suppress(ProcessLookupError):
            self.popen.send_signal(TELL)

    def begun(self, queues: Sequence[str]) -> dict[str, list[int]]:
        """After its death: the calls that may have caused it, by queue."""
        if self.code in (ENDED, CUT_SHORT):
            return {}
        return {queues[index]: numbers for index, numbers in self.board.to_blame().items()}

    def care_after(self, crashes: int) -> int:
        """How careful the next one is to be with suspects, after so many quick deaths in a row."""
        if not self.board.watches_several:
            return 0
        return 2 if crashes > FEW_CRASHES else 1

    def terminate(self) -> None:
        """Tell it to stop."""
        with contextlib.suppress(ProcessLookupError):
            self.popen.terminate()

    def kill(self) -> None:
        """End it."""
        self.popen.kill()

    @property
    def reason(self) -> str:
        """Why it died, in words."""
        code = self.code
        if code is None or code == ABORTED:
            return "a task ended it"
        return f"exit code {code}" if code >= 0 else _signal_name(-code)


def _signal_name(number: int) -> str:
    return next((each.name for each in signal.Signals if each == number), f"signal {number}")
