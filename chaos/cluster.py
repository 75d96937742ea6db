"""Two PostgreSQL nodes under Patroni with synchronous replication: what is committed on one is on the other.

Patroni keeps its state by Raft among the nodes and a third voter, so that nothing but packages from PyPI is needed.
"""

import contextlib
import importlib.util
import json
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg

from chaos.ports import free_port
from chaos.processes import children_of
from chaos.server import FAST
from tpq.embedded import binaries, directory

__all__ = ["Cluster", "cluster", "hindrance"]

READY = 90.0
"""Seconds until two nodes run, one of them as a synchronous standby."""
RAFT = "import sys; from patroni.raft_controller import main; sys.exit(main())"
TTL, LOOP, RETRY = 20, 2, 3
"""Patroni's seconds: until a node that says nothing has lost its lead, between its looks, for its tries."""


class Node:
    """One Patroni, and its PostgreSQL."""

    def __init__(
        self, number: int, room: Path, raft: list[int], bin_dir: Path, become: dict[str, Any], python: str
    ) -> None:
        self._python = python
        self.port, self._rest = free_port(), free_port()
        self._room, self._become = room, become
        config = self._config(number, raft, bin_dir)
        self._file = room / f"node{number}.yml"
        self._file.write_text(json.dumps(config))  # JSON is YAML
        self._log = room / f"node{number}.log"

    def _config(self, number: int, raft: list[int], bin_dir: Path) -> dict[str, Any]:
        own, *others = raft[number:] + raft[:number]
        parameters = {**FAST, "unix_socket_directories": str(self._room), "max_connections": "200"}
        del parameters["synchronous_commit"]  # what the standby has not written is not committed
        trusted = [f"{kind} all 127.0.0.1/32 trust" for kind in ("host all", "host replication")]
        return {
            "scope": "chaos",
            "name": f"node{number}",
            "restapi": {"listen": f"127.0.0.1:{self._rest}", "connect_address": f"127.0.0.1:{self._rest}"},
            "raft": {
                "data_dir": str(self._room / f"raft{number}"),
                "self_addr": f"127.0.0.1:{own}",
                "partner_addrs": [f"127.0.0.1:{port}" for port in others],
            },
            "bootstrap": {
                "dcs": {
                    "ttl": TTL,
                    "loop_wait": LOOP,
                    "retry_timeout": RETRY,
                    "primary_start_timeout": 0,
                    "synchronous_mode": True,
                    "postgresql": {"use_pg_rewind": True, "parameters": {"wal_log_hints": "on"}},
                },
                "initdb": [{"encoding": "UTF8"}, {"locale": "C"}, "data-checksums"],
                "pg_hba": ["local all all trust", *trusted],
            },
            "postgresql": {
                "listen": f"127.0.0.1:{self.port}",
                "connect_address": f"127.0.0.1:{self.port}",
                "data_dir": str(self._room / f"data{number}"),
                "bin_dir": str(bin_dir),
                "pgpass": str(self._room / f"pgpass{number}"),
                "pg_hba": ["local all all trust", *trusted],
                "parameters": parameters,
                "authentication": {
                    kind: {"username": name, "password": "trusted"}
                    for kind, name in (
                        ("superuser", "postgres"),
                        ("replication", "replicator"),
                        ("rewind", "rewind"),
                    )
                },
            },
        }

    def start(self) -> None:
        """Start Patroni, which starts PostgreSQL."""
        with self._log.open("ab") as log:
            command = [self._python, "-m", "patroni", str(self._file)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **self._become)

    @property
    def role(self) -> str:
        """What it says that it is: primary, sync_standby, replica, or nothing."""
        for role in ("primary", "sync", "replica"):
            with contextlib.suppress(urllib.error.URLError, OSError):
                with urllib.request.urlopen(f"http://127.0.0.1:{self._rest}/{role}", timeout=2) as answer:
                    if answer.status == 200:
                        return role
        return "nothing"

    @property
    def postmaster(self) -> int:
        """The pid of its PostgreSQL."""
        name = self._file.stem.replace("node", "data")
        return int((self._room / name / "postmaster.pid").read_text().split()[0])

    def kill_postgresql(self) -> None:
        """SIGKILL of its PostgreSQL; Patroni sees it."""
        os.kill(self.postmaster, signal.SIGKILL)

    def kill(self) -> None:
        """SIGKILL of Patroni and PostgreSQL: the machine is gone."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, ValueError):
            postmaster = self.postmaster
            backends = children_of(postmaster)
            self._process.kill()
            for pid in [postmaster, *backends]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        self._process.kill()
        self._process.wait()


class Cluster:
    """Two nodes and a voter. To a trial it is a server."""

    def __init__(self, room: Path) -> None:
        self.room = room
        account = directory.account_for(room)
        found = python_for(account)
        assert found is not None, hindrance()
        self._python, environment = found
        become: dict[str, Any] = {"env": {"PATH": os.environ["PATH"], "HOME": str(room), **environment}}
        if account:
            become |= {"user": account.uid, "group": account.gid, "extra_groups": []}
            os.chown(room, account.uid, account.gid)
        bin_dir = binaries.find(None, account, None).bin
        raft = [free_port() for _ in range(3)]
        self.nodes = [Node(number, room, raft, bin_dir, become, self._python) for number in range(2)]
        voter = room / "voter.yml"
        addresses = {"self_addr": f"127.0.0.1:{raft[2]}", "data_dir": str(room / "raft2")}
        partners = [f"127.0.0.1:{port}" for port in raft[:2]]
        voter.write_text(json.dumps({"raft": {**addresses, "partner_addrs": partners}}))
        with (room / "voter.log").open("ab") as log:
            command = [self._python, "-c", RAFT, str(voter)]
            self._voter = subprocess.Popen(command, stdout=log, stderr=log, cwd="/", **become)

    def start(self) -> None:
        """Bring both up, and wait until one follows the other synchronously.

        Raises:
            TimeoutError: they do not come up.
        """
        for node in self.nodes:
            node.start()
        self.wait_until_in_sync()

    def wait_until_in_sync(self, limit: float = READY) -> None:
        """Until there is a primary and a synchronous standby."""
        deadline = time.monotonic() + limit
        while {node.role for node in self.nodes} != {"primary", "sync"}:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no primary with a synchronous standby; see the logs in {self.room}")
            time.sleep(0.2)

    @property
    def primary(self) -> Node:
        """The node that takes writes."""
        return next(node for node in self.nodes if node.role == "primary")

    @property
    def environment(self) -> dict[str, str]:
        """What processes are told of it."""
        ports = ",".join(str(node.port) for node in self.nodes)
        return {"CHAOS_HOST": "127.0.0.1,127.0.0.1", "CHAOS_PORT": ports, "CHAOS_READ_WRITE": "1"}

    @property
    def entry(self) -> dict[str, Any]:
        """Its entry of DATABASES."""
        told = self.environment
        options = {"target_session_attrs": "read-write", "connect_timeout": 2}
        return {"HOST": told["CHAOS_HOST"], "PORT": told["CHAOS_PORT"], "OPTIONS": options}

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """An autocommit connection to the primary."""
        told = self.environment
        return psycopg.connect(
            host=told["CHAOS_HOST"], port=told["CHAOS_PORT"], target_session_attrs="read-write",
            user="postgres", dbname="postgres", autocommit=True, **options,
        )  # fmt: skip

    def end(self) -> None:
        """Leave nothing behind."""
        for node in self.nodes:
            node.kill()
        self._voter.kill()
        self._voter.wait()


@contextlib.contextmanager
def cluster() -> Iterator[Cluster]:
    """A new one, up; it is gone after the block."""
    with tempfile.TemporaryDirectory(prefix="tpq-") as folder:
        Path(folder).chmod(0o755)
        made = Cluster(Path(folder))
        try:
            made.start()
            yield made
        finally:
            made.end()


def hindrance() -> str | None:
    """Why there can be none here; None: there can."""
    if not all(importlib.util.find_spec(name) for name in ("patroni", "pysyncobj")):
        return "patroni is not installed: pip install 'patroni[psycopg3,raft]'"
    account = directory.account_for(Path(tempfile.gettempdir()))
    if python_for(account) is None:
        return f"PostgreSQL does not run as root, and its user can run no Python {VERSION} with patroni"
    return None


VERSION = ".".join(map(str, sys.version_info[:2]))


def python_for(account: Any) -> tuple[str, dict[str, str]] | None:
    """A Python that the servers' user can run, and its environment: ours, or the system's with our packages."""
    become = {"user": account.uid, "group": account.gid, "extra_groups": []} if account else {}
    packages = {"PYTHONPATH": sysconfig.get_path("purelib")}
    for executable, environment in ((sys.executable, {}), (f"/usr/bin/python{VERSION}", packages)):
        command = [executable, "-c", "import patroni, psycopg, pysyncobj"]
        with contextlib.suppress(OSError):
            tried = subprocess.run(command, cwd="/", capture_output=True, env=environment, **become)
            if not tried.returncode:
                return executable, environment
    return None
