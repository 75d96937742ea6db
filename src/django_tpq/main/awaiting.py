"""Waiting for a message in an event loop: as `tpq.waiting`, but no thread is held."""

import asyncio
import contextlib
import time
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from tpq.bell import Listener
from tpq.waiting import Nap

__all__ = ["polls", "whole"]

T = TypeVar("T")

_owed: "weakref.WeakSet[asyncio.Task[Any]]" = weakref.WeakSet()
"""Tasks that were cancelled while they took something: they got it, and their cancellation later."""


async def polls(
    wait: float, listener: Listener | None, channel: str, ask: Callable[[], Awaitable[bool | None]]
) -> AsyncGenerator[None]:
    """Yield each time it is worth looking; ends when the wait is over. Close it, also after an exception."""
    _cancel_if_owed()
    yield
    if wait < 0:
        return
    deadline = time.monotonic() + wait if wait else float("inf")
    loop, rung, nap = asyncio.get_running_loop(), asyncio.Event(), Nap()

    def ring(_payload: str | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            loop.call_soon_threadsafe(rung.set)

    if listener is not None:
        listener.subscribe(channel, ring)
    try:
        yield
        while (left := deadline - time.monotonic()) > 0:
            works = listener is not None and listener.healthy
            if works and nap.is_to_ask:
                nap.answered(await ask())
            with contextlib.suppress(TimeoutError):  # wait_for() of Python 3.11 would swallow a cancellation
                async with asyncio.timeout(min(left, nap.length(works=works))):
                    await rung.wait()
            rung.clear()
            yield
    finally:
        if listener is not None:
            listener.unsubscribe(channel, ring)


async def whole(look: Coroutine[Any, Any, T]) -> T:
    """Await a look-up to its end even if cancelled: what its thread takes meanwhile would be lost.

    It is returned then, and the cancellation comes when the task looks again. With nothing taken it comes at once.
    """
    looking = asyncio.ensure_future(look)
    try:
        return await asyncio.shield(looking)
    except asyncio.CancelledError:
        while not looking.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([looking])
        if looking.cancelled() or looking.exception():
            raise
        if task := asyncio.current_task():
            _owed.add(task)
        return looking.result()


def _cancel_if_owed() -> None:
    task = asyncio.current_task()
    if task is not None and task in _owed:
        _owed.discard(task)
        if task.cancelling():  # a timeout that fired takes its cancellation back
            raise asyncio.CancelledError
