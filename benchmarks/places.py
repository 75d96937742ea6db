"""Virtual environments of other systems, made on first use, and a Redis for those that need one."""

import contextlib
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["interpreter", "python_of", "redis", "versions"]

ROOT = Path(__file__).parent.parent
VENVS = ROOT / ".bench-venvs"
NEWEST = 14


def interpreter(oldest: tuple[int, int]) -> str:
    """A Python: ours if it is new enough, else the oldest other one that is; it may stand where pyenv puts it.

    Raises:
        FileNotFoundError: there is none.
    """
    if sys.version_info >= oldest:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    for minor in range(oldest[1], NEWEST + 1):
        found = sorted(pyenv.glob(f"versions/3.{minor}.*/bin/python3.{minor}"))
        if path := shutil.which(f"python3.{minor}") if not found else str(found[-1]):
            return path
    raise FileNotFoundError(f"no Python {oldest[0]}.{oldest[1]} or newer is here")


def python_of(name: str, requires: Sequence[str], oldest: tuple[int, int]) -> Path:
    """The Python of a system's own virtual environment, made now if it is not there or has other packages.

    Raises:
        FileNotFoundError: no Python is new enough.
        subprocess.CalledProcessError: pip could not install it; what it said is in `stderr`.
    """
    place, base = VENVS / name, interpreter(oldest)
    wanted = hashlib.sha256(json.dumps([base, *requires]).encode()).hexdigest()
    stamp = place / "installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        shutil.rmtree(place, ignore_errors=True)
        _run(base, "-m", "venv", str(place))
        _run(
            str(place / "bin/python"), "-m", "pip", "install", "-q", "--disable-pip-version-check", *requires
        )
        stamp.write_text(wanted)
    return place / "bin/python"


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def versions(python: Path, requires: Sequence[str]) -> dict[str, str]:
    """What is installed: the packages that were asked for, by name, and `python`."""
    code = (
        "import sys, json, platform, re\nfrom importlib.metadata import version\n"
        "names = [re.split(r'[\\[=<>~!; @]', text)[0] for text in sys.argv[1:]]\n"
        "print(json.dumps({'python': platform.python_version(), **{n: version(n) for n in names}}))"
    )
    found: dict[str, str] = json.loads(_run(str(python), "-c", code, *requires))
    return found


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """A fresh Redis on a free port of loopback, with the settings it comes with; its URL.

    Raises:
        FileNotFoundError: there is no `redis-server` here.
    """
    binary = shutil.which("redis-server")
    if binary is None:
        raise FileNotFoundError("there is no redis-server here")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)  # noqa: PTH101 - the server is another user's
        command = [binary, "--port", str(port), "--bind", "127.0.0.1", "--dir", folder, "--daemonize", "no"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, **_unprivileged())
        try:
            _until_open(port)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            process.terminate()
            process.wait(20)


def _unprivileged() -> dict[str, object]:
    if os.getuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _until_open(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError("redis-server did not answer")
