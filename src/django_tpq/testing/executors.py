"""A real executor for a test whose calls are committed: a TransactionTestCase, a LiveServerTestCase."""

import contextlib
import os
import select
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from django.db import connections, router

from django_tpq.futures.births import is_of_a_testcase
from django_tpq.futures.launch import start_command
from django_tpq.futures.models import CallQueue
from django_tpq.futures.supervisor import LAST_RESORT

__all__ = ["RunningExecutor", "executor"]

START_LIMIT = 120.0
"""Seconds that it may take to start."""
GRACE = 10.0
"""Seconds that running calls have at the end."""


class RunningExecutor:
    """An executor that runs beside a test."""

    def __init__(self, process: "subprocess.Popen[bytes]", log: Path) -> None:
        self._process, self._log = process, log

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    @property
    def log(self) -> str:
        """What it has said until now."""
        return self._log.read_text(errors="replace")

    def kill(self) -> None:
        """SIGKILL: as if its machine had lost its power. Its calls run elsewhere 8 s later."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def executor(*options: str) -> Iterator[RunningExecutor]:
    """Run `manage.py executor` as a process of its own on the test's database, for a block. It ends with the test.

    Args:
        options: its own, such as `"-t", "2"`.

    Raises:
        RuntimeError: the test's transaction is never committed, so that nobody else sees its calls; or the executor did
            not start, and the text says why.
    """
    alias = router.db_for_write(CallQueue)
    if is_of_a_testcase(connections[alias]):
        raise RuntimeError(
            "an executor sees nothing of a TestCase, which never commits: use a TransactionTestCase (pytest: "
            "transactional_db), or run_pending()"
        )
    with tempfile.TemporaryDirectory(prefix="tpq-") as place:
        log = Path(place) / "executor.log"
        with _started(options, Path(place), log) as process:
            yield RunningExecutor(process, log)


@contextlib.contextmanager
def _started(options: tuple[str, ...], place: Path, log: Path) -> "Iterator[subprocess.Popen[bytes]]":
    parent, alive = os.pipe()
    news, ready = os.pipe()
    files = [f"--ready-file={ready}", f"--parent={parent}", f"--pidfile={place / 'executor.pid'}"]
    try:
        with log.open("wb") as out:
            process = start_command(
                [f"--grace={GRACE:g}", *options, "--foreground", *files],
                pass_fds=(ready, parent),
                stdout=out,
                stderr=out,
                process_group=0,
            )
        os.close(ready)
        os.close(parent)
        try:
            _wait_until_ready(news, process, log)
            yield process
        finally:
            _end(process)
    finally:
        os.close(news)
        os.close(alive)


def _wait_until_ready(news: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    ready, _, _ = select.select([news], [], [], START_LIMIT)
    if not ready or not os.read(news, 16):
        process.terminate()
        process.wait()
        raise RuntimeError(f"the executor did not start:\n{log.read_text(errors='replace')}")


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(GRACE + LAST_RESORT + 5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
