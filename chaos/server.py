"""A PostgreSQL that nobody guards: it may be stopped, killed, frozen and started again."""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from tpq.embedded import binaries, directory
from tpq.embedded.guard import Postmaster

__all__ = ["FAST", "OwnServer", "own_server", "rooms"]

FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
"""For servers whose machine stays up: what was written to a file is there, whoever is killed."""
START_LIMIT = 30.0
"""Seconds."""


def rooms() -> str:
    """Memory if there is enough of it (containers have little, and run nothing from it): a server is 1,000 files."""
    with contextlib.suppress(OSError):
        memory = os.statvfs("/dev/shm")
        if memory.f_bavail * memory.f_frsize > 2**30 and not memory.f_flag & os.ST_NOEXEC:
            return "/dev/shm"
    return "/tmp"


class OwnServer:
    """A postmaster: it is up when somebody says so.

    Args:
        room: its directory; the socket is there, too.
        parameters: further settings of the server.
    """

    def __init__(self, room: Path, **parameters: str) -> None:
        self.room, self.data = room, room / "data"
        account = directory.account_for(room)
        self._become: dict[str, Any] = (
            {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
        )
        if account:
            os.chown(room, account.uid, account.gid)
        self._bin = binaries.find(None, account, None).bin
        self._parameters = {**FAST, "listen_addresses": "", "synchronous_commit": "on", **parameters}
        self._run("initdb", "--username=postgres", "--auth=trust", "--no-sync", "--encoding=UTF8")
        self._process: subprocess.Popen[bytes] | None = None

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._bin / program), "-D", str(self.data), *arguments]
        subprocess.run(command, check=True, capture_output=True, cwd="/", **self._become)

    def start(self) -> None:
        """Bring it up, and wait until it takes connections."""
        self._process = self._launched()
        deadline = time.monotonic() + START_LIMIT
        while not self._is_ready():
            assert time.monotonic() < deadline, (self.room / "log").read_text()
            time.sleep(0.02)
            if self._process.poll() is not None:  # backends of a killed one are still there
                self._process = self._launched()

    def _launched(self) -> "subprocess.Popen[bytes]":
        parameters = [word for name, value in self._parameters.items() for word in ("-c", f"{name}={value}")]
        command = [str(self._bin / "postgres"), "-D", str(self.data), "-k", str(self.room), *parameters]
        with (self.room / "log").open("ab") as log:
            return subprocess.Popen(command, stderr=log, cwd="/", **self._become)

    def _is_ready(self) -> bool:
        running = Postmaster.read(self.data)
        return bool(self._process and running and running.pid == self._process.pid and running.ready)

    def end(self, how: signal.Signals) -> None:
        """SIGQUIT is an immediate stop; SIGKILL leaves the backends to find out for themselves."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait()
        self._process = None

    @property
    def is_up(self) -> bool:
        """Whether it is to be there."""
        return self._process is not None

    @property
    def has_died(self) -> bool:
        """Whether it has ended, and nobody wanted it to."""
        return self._process is not None and self._process.poll() is not None

    def freeze(self) -> None:
        """Stop all of its processes where they are, as a hung machine would."""
        assert self._process is not None
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let them go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        pid = self._process.pid
        listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
        for each in [pid, *map(int, listed.stdout.split())]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, number)

    @property
    def entry(self) -> dict[str, Any]:
        """Its entry of DATABASES."""
        return {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": "postgres",
            "USER": "postgres",
            "HOST": str(self.room),
        }

    @property
    def environment(self) -> dict[str, str]:
        """What processes are told of it."""
        return {"CHAOS_HOST": str(self.room)}

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """An autocommit connection."""
        parameters = {"user": "postgres", "dbname": "postgres", "autocommit": True, **options}
        return psycopg.connect(host=str(self.room), **parameters)


@contextlib.contextmanager
def own_server(where: str | None = None, **parameters: str) -> Iterator[OwnServer]:
    """A new server, down, in a directory of its own below `where`; it is gone after the block."""
    room = Path(tempfile.mkdtemp(prefix="tpq-", dir=where or rooms())).resolve()
    room.chmod(0o711)
    server = OwnServer(room, **parameters)
    try:
        yield server
    finally:
        if server.is_up:
            server.end(signal.SIGQUIT)
        shutil.rmtree(room)
