"""A running server, as it describes itself."""

import contextlib
import os
import socket
from dataclasses import dataclass
from pathlib import Path

from tpq.embedded.guard import SERVER, Postmaster
from tpq.embedded.locks import is_held

__all__ = ["Server", "answering", "lives"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A running PostgreSQL of our own."""

    host: str
    """The directory of its socket."""
    port: int
    user: str
    dbname: str
    data: Path
    """The data directory."""
    bin: Path
    """The directory of its programs, `psql` and `pg_dump` among them."""
    pid: int
    """The postmaster's process id, in the process table of whoever raised it."""

    @property
    def dsn(self) -> str:
        """A connection string for libpq."""
        host = self.host.replace("\\", "\\\\").replace("'", "\\'")
        return f"host='{host}' port={self.port} user={self.user} dbname={self.dbname}"


def answering(base: Path) -> Server | None:
    """The server of a directory, if it is ready."""
    server = described(base / "data")
    return server if server and listens(server) else None


def described(data: Path) -> Server | None:
    running = Postmaster.read(data)
    if running is None or not running.ready:
        return None
    with contextlib.suppress(OSError):
        program = Path((data / "postmaster.opts").read_text(errors="surrogateescape").split(' "', 1)[0])
        return Server(
            host=running.sockets,
            port=running.port,
            user="postgres",
            dbname="postgres",
            data=data,
            bin=program.parent,
            pid=running.pid,
        )
    return None


def lives(server: Server) -> bool:
    """Whether a server that took connections has its processes. Costs the server nothing.

    A postmaster forks for each connection, also one that says nothing: a thousand probes in a row, made by
    connecting, filled its backlog, and real connections failed.
    """
    try:
        os.kill(server.pid, 0)  # at once right about a killed postmaster; the lock waits for its backends
    except PermissionError:
        pass
    except ProcessLookupError:
        return False
    return is_held(server.data.parent / SERVER)


def listens(server: Server) -> bool:
    """Whether a server takes connections."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(f"{server.host}/.s.PGSQL.{server.port}")
        except BlockingIOError:
            return True  # too many others are connecting right now
        except OSError:
            return False
    return True
