"""Where a server lives, and as whom it runs.

Usually in the directory that was asked for. PostgreSQL refuses to run as root, so root's servers run as
another user, who may be unable to reach that directory (a project below a 0700 home). No permissions are
widened then: the path becomes a small file that names a directory in root's state directory.

Each directory we use is our own, by owner and mode, or it is refused: what somebody else has put in the place
(a symbolic link, a directory of his in `/tmp`) is never followed or adopted.
"""

import contextlib
import hashlib
import os
import re
import secrets
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tpq.embedded.errors import EmbeddedError
from tpq.embedded.guard import Account

if sys.platform != "win32":
    import fcntl
    import pwd

__all__ = [
    "account_for",
    "locate",
    "opened",
    "own_directory",
    "reaches",
    "socket_directory",
    "state_directory",
    "user_name",
]

STATE = "TPQ_EMBEDDED_STATE"
"""The environment variable that moves root's state directory."""
SOCKET_NAME = ".s.PGSQL.5432"
LONGEST_SOCKET = 100
"""Bytes of a socket's path that every system takes (macOS: 103)."""
USERS = ("postgres", "nobody")
"""As whom root's servers run: the first of these that exists."""


def locate(path: Path) -> Path:
    """The directory of the server that belongs to a path; made if there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path = path.parent.resolve() / path.name
    try:
        kind = path.lstat().st_mode
    except FileNotFoundError:
        return make(path)
    return follow(path) if stat.S_ISREG(kind) else check_ours(path, adopt=True)


def make(path: Path) -> Path:
    """A new directory at the path, or, where the server could not reach it, elsewhere."""
    if os.geteuid() == 0 and not reaches(default_account(), path.parent):
        write_pointer(path)
        return follow(path)
    return own_server(path)


# Directories ----------------------------------------------------------------------------------------------


def own_server(path: Path) -> Path:
    """A server's directory. Others may pass through root's (the server has to), nobody through a user's."""
    own_directory(path, 0o711 if os.geteuid() == 0 else 0o700)
    with contextlib.suppress(FileExistsError), (path / ".gitignore").open("x") as ignore:
        ignore.write("*\n")
    return path


def own_directory(path: Path, mode: int) -> Path:
    """Make a directory that belongs to us, or see that an existing one does."""
    with contextlib.suppress(FileExistsError):
        path.mkdir(0o700)
        with opened(path) as directory:
            os.fchmod(directory, mode)  # by the file: what is at the path may have been exchanged
    return check_ours(path)


def check_ours(path: Path, *, adopt: bool = False) -> Path:
    """Refuse what somebody else could have put there, or could change.

    Args:
        adopt: root also takes the directory of a user that lies in another one of his.
    """
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        raise EmbeddedError(f"{path} is a symbolic link: give the path it leads to")
    if not stat.S_ISDIR(found.st_mode):
        raise EmbeddedError(f"{path} is in the way: it is not a directory")
    check_owner(path, found, adopt=adopt)
    return path


def check_owner(path: Path, found: os.stat_result, *, adopt: bool = False) -> None:
    owners = {os.geteuid()}
    if adopt and os.geteuid() == 0:
        owners.add(path.parent.stat().st_uid)
    if found.st_uid not in owners:
        raise EmbeddedError(f"{path} belongs to another user ({user_name(found.st_uid)}): run as that user")
    if found.st_mode & 0o022:
        raise EmbeddedError(f"{path} can be written by others: chmod go-w it")


def state_directory(name: str) -> Path:
    """A directory of root's own for what a server has to reach."""
    base = Path(os.environ.get(STATE, "/var/lib/tpq"))
    base.parent.mkdir(parents=True, exist_ok=True)
    return own_directory(own_directory(base, 0o755) / name, 0o711)


def socket_directory(base: Path, account: Account | None) -> Path:
    """The server's directory for its socket; nobody else can enter it."""
    directory = base / "socket"
    if not fits(directory):
        directory = short_directory(base, account)
    with contextlib.suppress(FileExistsError):
        directory.mkdir(0o700)
        if account:
            os.chown(directory, *account, follow_symlinks=False)
    found = directory.lstat()
    owner = account.uid if account else os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != owner or found.st_mode & 0o077:
        raise EmbeddedError(f"{directory} is in the way of the socket: it is not the server's own. Remove it")
    return directory


def fits(directory: Path) -> bool:
    """Whether a socket can be there: the path is short, and has no comma (libpq reads that as two hosts)."""
    return len(os.fsencode(directory / SOCKET_NAME)) <= LONGEST_SOCKET and "," not in str(directory)


def short_directory(base: Path, account: Account | None) -> Path:
    """A place for the socket outside, the same for all who ask."""
    name = "tpq-" + hashlib.sha256(os.fsencode(base)).hexdigest()[:16]
    runtime = os.environ.get("XDG_RUNTIME_DIR") if account is None else None
    for room in filter(None, (runtime, tempfile.gettempdir(), "/tmp")):  # noqa: S108 - checked by the caller
        directory = Path(room).resolve() / name
        if fits(directory) and directory.parent.is_dir() and reaches(account, directory.parent):
            return directory
    raise EmbeddedError(f"the path {base} is too long for a socket, and there is no shorter place for it")


@contextlib.contextmanager
def opened(directory: Path) -> Iterator[int]:
    """A directory as a file, not through a symbolic link."""
    file = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        yield file
    finally:
        os.close(file)


# The pointer ----------------------------------------------------------------------------------------------


def write_pointer(path: Path) -> None:
    """Leave a file that names a new directory in the state directory; the first of several processes wins."""
    servers = state_directory("servers")
    with opened(path.parent) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX)
        if path.exists():
            return
        with tempfile.NamedTemporaryFile("w", prefix=f"{path.name}.", dir=path.parent, delete=False) as text:
            text.write(f"{servers / secrets.token_hex(8)}\n")
        Path(text.name).rename(path)  # whole, or not at all


def follow(path: Path) -> Path:
    """The directory a pointer file names; made if it is not there (yet, or any more)."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)) as file:
        check_owner(path, os.fstat(file.fileno()))
        real = Path(file.read(1000).strip())
    servers = state_directory("servers")
    if real.parent != servers or not re.fullmatch("[0-9a-f]{16}", real.name):
        raise EmbeddedError(
            f"{path} is a file that names no directory below {servers}: remove it to start afresh"
        )
    return own_server(real)


# Accounts -------------------------------------------------------------------------------------------------


def account_for(base: Path) -> Account | None:
    """As whom the server of a directory runs; None: as we do."""
    if os.geteuid() != 0:
        return None
    for place in (base / "data", base):
        with contextlib.suppress(FileNotFoundError):
            found = place.lstat()
            if found.st_uid != 0:
                return Account(found.st_uid, found.st_gid)
    return default_account()


def default_account() -> Account:
    """An unprivileged user that exists."""
    for name in USERS:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(entry.pw_uid, entry.pw_gid)
    raise EmbeddedError(
        "PostgreSQL does not run as root, and there is no user 'postgres' or 'nobody' to run it as"
    )


def reaches(account: Account | None, path: Path) -> bool:
    """Whether the server's user can enter a directory or run a program there.

    Tried, not computed from the modes: access control lists have a word in it, too.
    """
    if account is None:
        return os.access(path, os.X_OK)
    command = ["/bin/sh", "-c", '[ -x "$1" ]', "sh", str(path)]
    try:
        done = subprocess.run(
            command,
            cwd="/",
            check=False,
            user=account.uid,
            group=account.gid,
            extra_groups=[],
            capture_output=True,
        )
    except OSError as error:
        user = user_name(account.uid)
        raise EmbeddedError(
            f"PostgreSQL does not run as root, and we may not become {user!r}: {error}"
        ) from error
    return done.returncode == 0


def user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
