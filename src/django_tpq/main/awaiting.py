"""Waiting for a message in an event loop: as `tpq.waiting`, but no thread is held."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from tpq.bell import Listener
from tpq.waiting import POLL_BEHIND_BELL, POLL_FIRST, POLL_GROWTH, POLL_LAST

__all__ = ["polls"]


async def polls(wait: float, listener: Listener | None, channel: str) -> AsyncIterator[None]:
    """Yield each time it is worth looking; ends when the wait is over."""
    yield
    if wait < 0:
        return
    deadline = time.monotonic() + wait if wait else float("inf")
    loop, rung, pause = asyncio.get_running_loop(), asyncio.Event(), POLL_FIRST

    def ring(_payload: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(rung.set)

    if listener is not None:
        listener.subscribe(channel, ring)
    try:
        yield
        while (left := deadline - time.monotonic()) > 0:
            healthy = listener is not None and listener.healthy
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(rung.wait(), min(left, POLL_BEHIND_BELL if healthy else pause))
            rung.clear()
            pause = min(POLL_LAST, pause * POLL_GROWTH)
            yield
    finally:
        if listener is not None:
            listener.unsubscribe(channel, ring)
