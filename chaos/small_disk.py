"""A small file system of its own, for a server whose disk is to be full."""

import contextlib
import subprocess
import tempfile
from collections.abc import Iterator

__all__ = ["hindrance", "small_disk"]


@contextlib.contextmanager
def small_disk(megabytes: int) -> Iterator[str]:
    """A directory on a file system of that size; it is gone after the block.

    Raises:
        subprocess.CalledProcessError: it can not be mounted here.
    """
    with tempfile.TemporaryDirectory() as place:
        command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=755", "tmpfs", place]
        subprocess.run(command, check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)


def hindrance() -> str | None:
    """Why there can be none here; None: there can."""
    try:
        with small_disk(1):
            return None
    except FileNotFoundError:
        return "there is no mount command here"
    except subprocess.CalledProcessError as error:
        return f"no tmpfs can be mounted here: {error.stderr.decode().strip()}"
