"""The guard: one detached process that makes a server, watches who leases it and stops it after the last.

It runs as a plain script (`python guard.py PLAN`) on the standard library alone, so that no import path and
no package can keep it from starting. It alone makes and starts servers: clients may be killed at any moment,
in the middle of `initdb` too, and nothing is left half-done.

Who is alive is never a matter of process ids, which are reused, but of locks, which the kernel frees with the
last process that holds the file (`flock`):

    boot     a client that looks whether there is a server, and has one raised if not
    lease    shared by all clients, as long as they live
    guard    the guard
    server   inherited by `initdb`, the postmaster and all its backends
"""

import contextlib
import json
import locale
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

if sys.platform != "win32":  # importable everywhere, so that `start` can say what is missing
    import fcntl

__all__ = ["GRACE", "Account", "Plan", "Postmaster", "attempt", "open_file"]

BOOT, LEASE, GUARD, SERVER, LOG = "boot", "lease", "guard", "server", "server.log"
GRACE = 2.0
"""Seconds a server outlives its last client: a restart of the client (a reload, a test run) finds it warm."""
HURRY = 20.0
"""Seconds a fast shutdown may take before it becomes an immediate one, which the next start repairs."""
POLL = 0.02
"""Seconds between two looks where nothing can be waited for."""


class Account(NamedTuple):
    """The user the server runs as."""

    uid: int
    gid: int


class Plan(NamedTuple):
    """What a guard has to know. It travels as JSON."""

    base: str
    bin: str
    account: Account | None
    sockets: str
    initdb: list[str]
    settings: list[str]
    patience: float
    grace: float

    @property
    def data(self) -> Path:
        return Path(self.base, "data")

    def identity(self) -> dict[str, Any]:
        """Keywords that make a subprocess run as the server's user."""
        if self.account is None:
            return {}
        return {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}


class Postmaster(NamedTuple):
    """What a running server says of itself in its `postmaster.pid`."""

    pid: int
    sockets: str
    port: int
    ready: bool

    @classmethod
    def read(cls, data: Path) -> "Postmaster | None":
        """The server of a data directory; None when there is no word of one, or not yet all of it."""
        try:
            lines = (data / "postmaster.pid").read_text(errors="surrogateescape").splitlines()
            return cls(int(lines[0]), lines[4], int(lines[3]), lines[7].strip() == "ready")
        except (OSError, ValueError, IndexError):
            return None


class RaiseError(Exception):
    """No server could be raised; the text goes to the client."""


# Locks ----------------------------------------------------------------------------------------------------


def open_file(path: Path, flags: int = 0) -> int:
    """Open or make a private file, for the owner of its directory, and never through a symbolic link."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | flags, 0o600)
    except FileExistsError:
        return os.open(path, os.O_RDWR | os.O_NOFOLLOW | flags)
    owner = path.parent.stat()
    if owner.st_uid != os.geteuid():  # root in somebody's directory
        os.fchown(file, owner.st_uid, owner.st_gid)
    return file


def attempt(file: int, *, shared: bool = False) -> bool:
    """Take a lock if it is free."""
    try:
        fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


# Raising --------------------------------------------------------------------------------------------------


def obtain(plan: Plan, deadline: float) -> int:
    """The process id of a ready server: one that ran already, or a new one.

    What an earlier guard left behind when it was killed (an `initdb` at work, a starting server, backends
    without a postmaster) holds the server lock, and is waited for.
    """
    lock = open_file(Path(plan.base, SERVER))
    while not attempt(lock):
        running = Postmaster.read(plan.data)
        if running and running.ready and serves(running.pid, plan.data):
            return running.pid
        pause(deadline, "processes of an earlier server do not end")
    return launch(plan, lock, deadline)


def launch(plan: Plan, lock: int, deadline: float) -> int:
    """Start a server, in a new data directory if there is none."""
    clear(plan)
    if not (plan.data / "PG_VERSION").exists():
        create(plan, lock, deadline)
    command = [str(Path(plan.bin, "postgres")), "-D", str(plan.data), *plan.settings]
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=2, pass_fds=[lock], **plan.identity())
    os.close(lock)
    wait_ready(child, plan.data, deadline)
    return child.pid


def clear(plan: Plan) -> None:
    """Remove what earlier servers left. Only with the server lock: nobody of ours is using it."""
    for stale in Path(plan.base).glob("init-*"):
        shutil.rmtree(stale)
    running = Postmaster.read(plan.data)
    if running and serves(running.pid, plan.data):
        raise RaiseError(f"a server started by other means runs on it (process {running.pid}): stop that")
    # PostgreSQL would refuse to start if the number in a lock file had gone to any process of the same user,
    # which happens all the time in containers, or to a zombie. Its check by shared memory stays in force.
    for file in (plan.data / "postmaster.pid", *Path(plan.sockets).glob(".s.PGSQL.*")):
        file.unlink(missing_ok=True)


def create(plan: Plan, lock: int, deadline: float) -> None:
    """Make the data directory elsewhere and rename it, so that a half-made one is never taken for one."""
    fresh = tempfile.mkdtemp(prefix="init-", dir=plan.base)
    if plan.account:
        os.chown(fresh, *plan.account, follow_symlinks=False)
    command = [str(Path(plan.bin, "initdb")), "-D", fresh, *plan.initdb, *ctype(plan)]
    patience = max(deadline - time.monotonic(), 1)
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": 2, "pass_fds": [lock]} | plan.identity()
    try:
        subprocess.run(command, check=True, timeout=patience, **options)
    except (subprocess.SubprocessError, OSError) as error:
        shutil.rmtree(fresh, ignore_errors=True)
        raise RaiseError(f"initdb failed: {error}") from error
    Path(fresh).rename(plan.data)


def ctype(plan: Plan) -> list[str]:
    """Upper and lower case for all letters, not only ASCII's, where the system has that with a C order."""
    if any("builtin" in option for option in plan.initdb):
        return []  # PostgreSQL 17 and up has its own
    try:
        locale.setlocale(locale.LC_CTYPE, "C.UTF-8")
    except locale.Error:
        return []
    return ["--lc-ctype=C.UTF-8"]


def wait_ready(child: "subprocess.Popen[bytes]", data: Path, deadline: float) -> None:
    """Return when the server takes connections."""
    while True:
        if child.poll() is not None:
            raise RaiseError(f"the server did not start (exit code {child.returncode})")
        running = Postmaster.read(data)
        if running and running.pid == child.pid and running.ready:
            return
        try:
            pause(deadline, "the server did not get ready in time")
        except RaiseError:
            child.send_signal(signal.SIGQUIT)
            raise


def pause(deadline: float, reason: str) -> None:
    """A moment's wait, with an end."""
    if time.monotonic() > deadline:
        raise RaiseError(reason)
    time.sleep(POLL)


def serves(pid: int, data: Path) -> bool:
    """Whether a process is a server on this directory, and not another one that got the number.

    By its command line, which everybody may read: for more, root in a container has not got the rights.
    """
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        if Path("/proc/self").exists():
            return False
        command = ["ps", "-o", "command=", "-p", str(pid)]
        return os.fsencode(data) in subprocess.run(command, capture_output=True, check=False).stdout
    return os.fsencode(data) in words


# Watching -------------------------------------------------------------------------------------------------


def watch(plan: Plan, pid: int, lease: int) -> None:
    """Stop the server when nobody has leased it for the time of grace."""
    while True:
        fcntl.flock(lease, fcntl.LOCK_EX)  # when nobody shares it; our waiting keeps nobody from sharing it
        fcntl.flock(lease, fcntl.LOCK_UN)
        time.sleep(plan.grace)
        if attempt(lease):  # and kept: who comes now waits for the end, and has a new server raised
            break
    end(pid, plan.data, signal.SIGINT)
    time.sleep(HURRY)
    end(pid, plan.data, signal.SIGQUIT)


def end(pid: int, data: Path, how: signal.Signals) -> None:
    """Tell the server to stop; nobody else, should the number have gone to another process."""
    if serves(pid, data):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, how)


def stay(plan: Plan, pid: int) -> None:
    """Guard a server until its last process is gone, however it came to that."""
    server, lease = open_file(Path(plan.base, SERVER)), open_file(Path(plan.base, LEASE))
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: end(pid, plan.data, signal.SIGINT))
    threading.Thread(target=watch, args=(plan, pid, lease), daemon=True).start()
    with contextlib.suppress(ChildProcessError):  # an earlier guard's child
        os.waitpid(pid, 0)  # at once, or clients would take the zombie for a living server
    fcntl.flock(server, fcntl.LOCK_EX)


# The process ----------------------------------------------------------------------------------------------


def report(**answer: str) -> None:
    """Answer the client that started us, if it is still there, and let go of it."""
    with contextlib.suppress(BrokenPipeError):
        os.write(1, json.dumps(answer).encode() + b"\n")
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)


def run(plan: Plan) -> None:
    """Be the guard of a directory, unless there is one."""
    lock = open_file(Path(plan.base, GUARD))
    if not attempt(lock):
        return report(state="busy")
    try:
        pid = obtain(plan, time.monotonic() + plan.patience)
    except (RaiseError, OSError) as error:
        return report(error=str(error))
    report(state="ready")
    return stay(plan, pid)


def main(text: str) -> None:
    """Leave the client's family, so that it never has to reap us, and begin."""
    if os.fork():
        os._exit(0)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    values = json.loads(text)
    account = values.pop("account")
    run(Plan(account=Account(*account) if account else None, **values))
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])
