"""Ports of loopback."""

import contextlib
import socket
import time

__all__ = ["free_port", "wait_for"]


def free_port() -> int:
    """One that nobody uses."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def wait_for(port: int, limit: float = 10.0) -> None:
    """Until somebody answers there.

    Raises:
        TimeoutError: nobody does.
    """
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody answers at port {port}")
