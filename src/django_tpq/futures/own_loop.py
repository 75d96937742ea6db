"""A coroutine that a thread waits for, in an event loop of its own: the thread sits in C code, the coroutine can be
interrupted."""

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import async_to_sync

from django_tpq.futures.deadlines import LAST_SECONDS, Guard, Interruption, stack_of_thread

__all__ = ["interruption", "waited_for"]


def waited_for(value: Awaitable[Any], guard: Guard | None) -> Any:
    """What a coroutine gives. It is cancelled when its time is over, or who waits for it is interrupted."""
    own = _Own(value, guard)
    try:
        return async_to_sync(own.run)()
    except Interruption:
        own.end()
        raise


class _Own:
    """The coroutine, once it runs."""

    def __init__(self, value: Awaitable[Any], guard: Guard | None) -> None:
        self._value, self._guard = value, guard
        self._interrupt: Callable[[], None] | None = None
        self._has_ended = threading.Event()

    async def run(self) -> Any:
        self._interrupt, stack = interruption()
        if self._guard:
            self._guard.aim(self._interrupt, stack)
        try:
            return await self._value
        finally:
            self._has_ended.set()

    def end(self) -> None:
        """Let it clear up, as long as a thread has for that."""
        if self._interrupt is not None:
            self._interrupt()
            self._has_ended.wait(LAST_SECONDS)


def interruption() -> tuple[Callable[[], None], Callable[[], str]]:
    """What interrupts the coroutine that runs here, and tells where it is."""
    task, loop, ident = asyncio.current_task(), asyncio.get_running_loop(), threading.get_ident()
    assert task is not None  # noqa: S101 - a coroutine of ours runs in one

    def interrupt() -> None:
        with contextlib.suppress(RuntimeError):  # it has ended just now, and a loop of its own with it
            loop.call_soon_threadsafe(task.cancel)

    return interrupt, lambda: _stack_of(task, loop, ident)


def _stack_of(task: "asyncio.Task[Any]", loop: asyncio.AbstractEventLoop, ident: int) -> str:
    """Where a coroutine is: it keeps the loop from all others, or it waits somewhere."""
    if asyncio.current_task(loop) is task:
        return stack_of_thread(ident)
    frames: list[Any] = []
    coroutine: Any = task.get_coro()
    while frame := getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None):
        frames.append(frame)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    lines = (f'  File "{f.f_code.co_filename}", line {f.f_lineno}, in {f.f_code.co_name}' for f in frames)
    return "\n".join(line for line in lines if "django_tpq/futures/" not in line) or stack_of_thread(ident)
