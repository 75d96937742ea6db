"""`executor --autoreload`: an executor in a process of its own, and another one whenever the code has changed.

Django's reloader watches the files. Unlike under `runserver`, the process that watches is never replaced: it only has
to notice changes, and a file with a mistake in it ends nothing but the executor, which comes back with the next change.
"""

import contextlib
import logging
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from django.apps import apps
from django.utils import autoreload
from django.utils.module_loading import autodiscover_modules

from django_tpq.futures.launch import start_command
from django_tpq.futures.supervisor import LAST_RESORT

__all__ = ["Reloading", "end_with"]

logger = logging.getLogger("django_tpq.executor")

TURN = 0.1
"""Seconds between looks at signals, changes and the executor."""
FOREIGN = {"site-packages", "dist-packages"}
"""Directories of installed packages: what is imported of them is watched, the rest is not."""


class Reloading:
    """Runs an executor, and starts it anew when the code has changed, until it is told to stop.

    Args:
        arguments: those of `manage.py executor`.
        grace: seconds for running calls after a change, or a stop.
    """

    def __init__(self, arguments: Sequence[str], grace: float) -> None:
        self._arguments, self._grace = list(arguments), grace
        self._changed: list[Path] = []
        self._stops = 0

    def run(self) -> int:
        """Go on until SIGTERM or SIGINT; the exit code of the last executor."""
        with self._signals(), self._watching():
            while True:
                self._changed.clear()
                with self._executor() as process:
                    self._wait_for_a_reason(process)
                    code = self._end(process)
                if self._stops:
                    return max(0, code)

    def _wait_for_a_reason(self, process: "subprocess.Popen[bytes]") -> None:
        """Until a file has changed, or a signal has come."""
        has_ended = False
        while not self._stops and not self._changed:
            if not has_ended and process.poll() is not None:
                logger.warning(
                    "the executor has ended (%s): it starts again when a file changes", process.returncode
                )
                has_ended = True
            time.sleep(TURN)
        if self._changed:
            logger.info("%s has changed: the executor starts anew", self._changed[0])

    def _end(self, process: "subprocess.Popen[bytes]") -> int:
        """Stop it gracefully, or at once at a second signal; its exit code."""
        told, limit = 0, time.monotonic() + self._grace + LAST_RESORT + 5
        while process.poll() is None:
            if told < max(1, self._stops):
                told += 1
                process.terminate()
            if time.monotonic() > limit:
                logger.error("the executor does not end: it is killed")
                process.kill()
            time.sleep(TURN)
        return process.returncode

    @contextlib.contextmanager
    def _executor(self) -> "Iterator[subprocess.Popen[bytes]]":
        """An executor that ends with us, however we end."""
        read, write = os.pipe()
        try:
            # A group of its own: Ctrl-C in a terminal reaches us only.
            arguments = [*self._arguments, "--foreground", f"--parent={read}"]
            process = start_command(arguments, pass_fds=(read,), process_group=0)
            os.close(read)
            yield process
        finally:
            os.close(write)

    # Files and signals ------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _watching(self) -> Iterator[None]:
        autoreload.file_changed.connect(self._note)
        threading.Thread(target=_watch, name="tpq-reloader", daemon=True).start()
        try:
            yield
        finally:
            autoreload.file_changed.disconnect(self._note)

    def _note(self, file_path: Path, **_: Any) -> bool:
        """A file has changed. True: it is seen to, nobody else is to restart anything."""
        self._changed.append(file_path)
        return True

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        handlers = {number: signal.signal(number, self._stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)

    def _stop(self, number: int, frame: Any) -> None:
        self._stops += 1


def _watch() -> None:
    """Notice changes: of all modules that are loaded here, and of all files of the project's own apps."""
    _load()
    reloader = autoreload.get_reloader()
    while True:
        for app in apps.get_app_configs():
            if not FOREIGN & set(Path(app.path).parts):
                reloader.watch_dir(Path(app.path), "**/*.py")
        try:
            return reloader.run(threading.main_thread())
        except autoreload.WatchmanUnavailable:
            reloader = autoreload.StatReloader()
        except Exception:
            logger.exception("files could not be watched: trying again")
            time.sleep(1.0)


def _load() -> None:
    """Load what an executor loads, to know its files. What fails here fails there too, and is told there."""
    with contextlib.suppress(Exception):
        autodiscover_modules("tasks")


def end_with(parent: int) -> None:
    """End this executor when its parent has ended.

    Args:
        parent: the file descriptor of a pipe whose other end the parent holds open as long as it lives.
    """

    def wait() -> None:
        os.read(parent, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="tpq-parent", daemon=True).start()
