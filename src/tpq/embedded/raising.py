"""Having a server raised: what the guard is told, and what it answers."""

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from tpq.embedded import binaries, directory, guard
from tpq.embedded.errors import EmbeddedError

__all__ = ["Setting", "Wish", "employ"]

Setting = str | int | float
"""The value of a server setting; a bool is on or off."""

DEFAULTS: dict[str, Setting] = {"max_connections": 200}
FIXED: dict[str, Setting] = {"port": 5432, "listen_addresses": "", "unix_socket_permissions": "0700"}
"""The server is for its own machine and user, and its address never changes."""
KEPT = ("PATH", "TZ", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
"""What a server gets of our environment; no PGPORT or PGOPTIONS."""
LONGEST_LOG = 16_000_000
"""Bytes after which a server's log is begun anew, when it is started."""
TAIL = 5
"""So many lines of the server's log go into an error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody who wants a server asks for."""

    binaries: str | os.PathLike[str] | None
    parameters: Mapping[str, Setting]
    deadline: float

    @property
    def patience(self) -> float:
        """Seconds left."""
        return max(self.deadline - time.monotonic(), 0)

    def pause(self, reason: str) -> None:
        """A moment's wait, with an end."""
        if not self.patience:
            raise EmbeddedError(f"{reason} (waited for too long)")
        time.sleep(guard.POLL)


def employ(base: Path, wish: Wish) -> None:
    """Start a guard and wait until it has a server, or has seen that there is another guard."""
    plan = planned(base, wish)
    log = guard.open_file(base / guard.LOG, os.O_APPEND)
    try:
        if os.fstat(log).st_size > LONGEST_LOG:
            os.ftruncate(log, 0)
        begin = os.fstat(log).st_size
        answer = ask(plan, log)
        if "error" in answer:
            raise EmbeddedError(answer["error"] + tail(log, begin))
    finally:
        os.close(log)


# The plan -------------------------------------------------------------------------------------------------


def planned(base: Path, wish: Wish) -> guard.Plan:
    """Everything the guard has to know."""
    account = directory.account_for(base)
    if not directory.reaches(account, base):
        raise EmbeddedError(
            "the server's user can not reach this directory: remove it, or choose another one"
        )
    found = binaries.find(wish.binaries, account, major_of(base / "data"))
    sockets = directory.socket_directory(base, account)
    return guard.Plan(
        base=str(base),
        bin=str(found.bin),
        account=account,
        sockets=str(sockets),
        initdb=initdb_options(found.major, wish.parameters),
        settings=settings(wish.parameters, sockets),
        patience=wish.patience,
        grace=guard.GRACE,
    )


def major_of(data: Path) -> int | None:
    """The version that made a data directory; None if there is none."""
    with contextlib.suppress(FileNotFoundError):
        return int((data / "PG_VERSION").read_text())
    return None


def initdb_options(major: int, parameters: Mapping[str, Setting]) -> list[str]:
    """Trust, since nobody else gets at the socket; text in UTF-8, sorted by code points on every machine."""
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-locale"]
    if major >= 17:
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    if written(parameters.get("fsync", "on")) == "off":
        options += ["--no-sync"]
    return options


def settings(parameters: Mapping[str, Setting], sockets: Path) -> list[str]:
    """The server's command line."""
    place = str(sockets).replace('"', '""')
    fixed = FIXED | {"unix_socket_directories": f'"{place}"'}
    if wrong := fixed.keys() & parameters.keys():
        raise EmbeddedError(f"these parameters can not be changed: {', '.join(sorted(wrong))}")
    pairs = (DEFAULTS | dict(parameters) | fixed).items()
    return [word for name, value in pairs for word in ("-c", f"{name}={written(value)}")]


def written(value: Setting) -> str:
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else str(value)


# The guard ------------------------------------------------------------------------------------------------


def ask(plan: guard.Plan, log: int) -> dict[str, str]:
    """Start a guard; its answer."""
    command = [interpreter(), "-I", "-S", guard.__file__, json.dumps(plan._asdict())]
    environment = {name: os.environ[name] for name in KEPT if name in os.environ} | {"LC_ALL": "C"}
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=log,
        cwd="/",
        env=environment,
        start_new_session=True,
    )
    with child:  # ends at once: the guard is its child
        return answer_of(child, plan.patience + 1)


def answer_of(child: "subprocess.Popen[bytes]", patience: float) -> dict[str, str]:
    assert child.stdout  # noqa: S101 - for the type checker
    line = read_line(child.stdout, time.monotonic() + patience)
    return json.loads(line) if line.endswith(b"\n") else {"error": "the guard gave no answer"}


def read_line(pipe: IO[bytes], deadline: float) -> bytes:
    """What comes until the line, the pipe or our patience ends."""
    line, poll = b"", select.poll()
    poll.register(pipe, select.POLLIN)
    while not line.endswith(b"\n") and poll.poll(max(deadline - time.monotonic(), 0) * 1000):
        piece = os.read(pipe.fileno(), 4096)
        if not piece:
            break
        line += piece
    return line


def interpreter() -> str:
    """Python, also where it runs within another program (uWSGI, mod_wsgi)."""
    if "python" in Path(sys.executable or "").name.lower():
        return sys.executable
    return str(Path(sys.exec_prefix, "bin", "python3"))


def tail(log: int, begin: int) -> str:
    """The last lines of what the log got since a position."""
    size = os.fstat(log).st_size
    start = max(begin, size - 4000)
    lines = os.pread(log, size - start, start).decode(errors="replace").split("\n")
    said = [line.strip() for line in lines if line.strip()][-TAIL:]
    return f" (its log: {' / '.join(said)})" if said else ""
