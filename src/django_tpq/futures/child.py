"""The life of one process of an executor: set up, run, and mind signals and the supervisor's death.

The claim loop runs in a thread; the main thread only waits for signals, because a signal's handler interrupts
it anywhere, in the middle of a lock too.
"""

import contextlib
import faulthandler
import gc
import logging
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from django_tpq.futures.executor import Executor
from django_tpq.futures.foreman import Terms
from django_tpq.futures.loading import load_tasks
from django_tpq.futures.places import Places
from tpq.board import Board

__all__ = ["CUT_SHORT", "ENDED", "FAILED", "TELL", "run_child"]

logger = logging.getLogger("django_tpq.executor")

ENDED = 0
"""Exit code: drained, stopped or at its limit, with nothing in hand. Meant only if the board says so, too."""
FAILED = 1
"""Exit code: it could not start."""
CUT_SHORT = 75
"""Exit code: the grace time was over with calls still running; they are no suspects."""

TELL = signal.SIGUSR2
"""The signal that makes a process write to stderr where each of its threads is, whoever holds Python's lock."""
GIVE_WAY = 0.001
"""Seconds after which a thread that computes gives way: the claim loop needs a turn after each answer of the server."""


def run_child(
    *,
    alias: str,
    queues: Sequence[str],
    places: Places,
    terms: Terms,
    board_file: int,
    alive_file: int,
    grace: float,
    drain: bool,
    limit: int | None,
) -> int:
    """Run until told to stop; the exit code.

    Args:
        board_file: the board's file descriptor.
        alive_file: a pipe that the supervisor holds open as long as it lives.
        grace: seconds for running calls after a stop.
    """
    faulthandler.register(TELL, file=2)  # stderr, whatever sys.stderr is by then
    wake = _catch_signals()
    load_tasks()
    sys.setswitchinterval(GIVE_WAY)
    gc.freeze()  # what is there now stays: it need not be looked through again and again
    board = Board(board_file, places.slots, apart=places.workers)
    executor = Executor(
        alias=alias,
        names=queues,
        board=board,
        places=places,
        terms=terms,
        drain=drain,
        limit=limit,
        grace=grace,
    )
    settled: list[bool] = []
    loop = threading.Thread(target=lambda: settled.append(executor.run()), name="tpq-loop", daemon=True)
    loop.start()
    while loop.is_alive() and not board.turned:
        time.sleep(0.005)
    if not board.turned and not settled:
        _flush()  # its threads could not start: it was never ready, as the supervisor sees
        os._exit(FAILED)
    board.ready()
    _watch(loop, executor, board, wake, alive_file, grace)
    _flush()
    board.leave()
    # Threads may still run calls whose time is over: nothing may wait for them.
    os._exit(_code(settled, is_stuck=loop.is_alive()))


def _flush() -> None:
    """What the end of an interpreter would do for what was logged and printed."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):
            stream.flush()


def _code(settled: list[bool], *, is_stuck: bool) -> int:
    if settled == [True]:
        return ENDED
    return CUT_SHORT if settled or is_stuck else FAILED


def _watch(
    loop: threading.Thread, executor: Executor, board: Board, wake: int, alive_file: int, grace: float
) -> None:
    """Wait for the loop's end; hand on signals and the supervisor's death."""
    files, stops, deadline = [wake, alive_file], 0, float("inf")
    while loop.is_alive() and time.monotonic() < deadline:
        ready, _, _ = select.select(files, [], [], 0.05 if stops else 0.25)
        if wake in ready:
            for _ in _stop_signals(os.read(wake, 64)):
                stops += 1
                left = grace if stops == 1 and not board.is_hurried else 0.0
                executor.stop(left)
                deadline = min(deadline, time.monotonic() + left + 5.0)
        if stops == 1 and board.is_hurried:
            stops += 1
            executor.stop(0.0)
            deadline = min(deadline, time.monotonic() + 5.0)
        if alive_file in ready:
            logger.error("the supervisor is gone: ending")
            files.remove(alive_file)
            stops += 1
            left = max(0.0, board.lease_ends - time.monotonic())
            executor.stop(min(grace, left))
            deadline = min(deadline, time.monotonic() + left)


def _catch_signals() -> int:
    """Turn SIGTERM into bytes in a pipe. SIGINT goes to the supervisor, which tells us."""
    read, write = os.pipe()
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ignore)
    return read


def _ignore(number: int, frame: Any) -> None:
    """Python writes the number to the pipe; that is all there is to do."""


def _stop_signals(numbers: bytes) -> list[int]:
    return [number for number in numbers if number == signal.SIGTERM]
