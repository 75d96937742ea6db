"""A real executor process beside the demo."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from django_tpq.main.models import Consumer


class ExecutorProcess:
    """`manage.py executor -f`, started, killed and stopped as an operator would."""

    def __init__(self, log: Path) -> None:
        self._log = log
        with log.open("ab") as out:
            command = [sys.executable, "-m", "django", "executor", "--foreground", "--threads=4"]
            self._process = subprocess.Popen(command, stdout=out, stderr=out)

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Until it has a process that claims."""
        deadline = time.monotonic() + seconds
        while not self.children():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the executor did not start:\n{self._log.read_text()}")
            time.sleep(0.05)

    def children(self) -> list[int]:
        """The pids of its processes that are alive in the database's eyes."""
        return list(Consumer.objects.filter(lost_at=None).values_list("pid", flat=True))

    def kill(self) -> int:
        """SIGKILL for the supervisor and all its processes: nobody can say goodbye. How many it hit."""
        pids = [self._process.pid, *self.children()]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self._process.wait()
        return len(pids)

    def stop(self) -> None:
        """SIGTERM, and wait for its end; SIGKILL if it does not come."""
        if self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=45)
        except subprocess.TimeoutExpired:
            self._process.kill()
