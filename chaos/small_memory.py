"""A control group with little memory, for tasks that eat it until the kernel kills them."""

import contextlib
import os
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path

from chaos.server import OwnServer

__all__ = ["hindrance", "world"]

ROOTS = {"memory.limit_in_bytes": Path("/sys/fs/cgroup/memory"), "memory.max": Path("/sys/fs/cgroup")}
"""Of the two versions of control groups: the file with the limit, and where they are."""
LIMIT = 100 << 20
"""Bytes."""


@contextlib.contextmanager
def _small_memory() -> Iterator[Path]:
    """A control group; it is gone after the block.

    Raises:
        OSError: it can not be made here.
    """
    limit, root = next((name, root) for name, root in ROOTS.items() if _can_limit(root))
    place = root / f"chaos-{uuid.uuid4().hex[:8]}"
    place.mkdir()
    try:
        (place / limit).write_text(str(LIMIT))
        yield place
    finally:
        place.rmdir()


def _can_limit(root: Path) -> bool:
    controllers = root / "cgroup.controllers"
    return (root.name == "memory" and root.is_dir()) or (
        controllers.is_file() and "memory" in controllers.read_text()
    )


@contextlib.contextmanager
def world(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """Tasks find the group's directory in their environment."""
    with _small_memory() as place:
        yield {"CHAOS_CGROUP": str(place)}


def hindrance() -> str | None:
    """Why there can be none here; None: there can."""
    try:
        with _small_memory() as place:
            return (
                None
                if os.access(place / "cgroup.procs", os.W_OK)
                else "no process may join a control group here"
            )
    except (OSError, StopIteration) as error:
        return f"no control group with a memory limit can be made here: {error or 'there are none'}"
