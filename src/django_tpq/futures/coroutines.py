"""The lane of coroutine functions: one event loop in a thread of the process, thousands of calls at once."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async

from django_tpq.futures.calls import Claimed, Key
from django_tpq.futures.deadlines import stack_of_thread
from django_tpq.futures.endings import given_up
from django_tpq.futures.outcomes import Outcome, Success
from django_tpq.futures.registry import uses
from django_tpq.futures.runner import Runner
from django_tpq.futures.tidying import suspect, tidy

__all__ = ["AsyncLane"]

logger = logging.getLogger("django_tpq.executor")

EXECUTOR = "async"
PAUSE = 1.0
"""Seconds between looks after the connections, and at whether the loop turns, while all goes well."""
BLOCKED = 5.0
"""Seconds without a turn of the loop that are worth a word."""
TOLD = -1.0
"""Instead of the moment of an answer: that it does not come was said."""


class _Running(NamedTuple):
    message: Claimed
    task: "asyncio.Task[None]"
    done: Callable[[Any], None]


class AsyncLane:
    """Runs calls in an event loop that all of them share. Its thread starts with the first.

    Args:
        runner: runs them.
        capacity: how many at once.
    """

    def __init__(self, runner: Runner, capacity: int) -> None:
        self.capacity = capacity
        self._runner = runner
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tidy_at = self._asked_at = self._answered_at = 0.0
        self._ident = 0
        self._running: dict[Key, _Running] = {}

    @property
    def is_wanted(self) -> bool:
        """Whether there are such tasks here."""
        return uses(EXECUTOR)

    def start(
        self, message: Claimed, done: Callable[[Any], None], is_ours: Callable[[], bool] = lambda: True
    ) -> None:
        """Run a call, at once."""
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            threading.Thread(target=self._run, args=(self._loop,), name="tpq-async", daemon=True).start()
        self._loop.call_soon_threadsafe(self._begin, message, done)

    def cancel(self, key: Key) -> None:
        """Let `CancelledError` be raised where a call waits."""
        if self._loop is not None and (found := self._running.get(key)):
            self._loop.call_soon_threadsafe(found.task.cancel)

    def abandon(self, key: Key, outcome_of: Callable[[], Outcome]) -> bool:
        """Take this for what a call ended with, whatever it does; False: it is not here."""
        found = self._running.pop(key, None)
        if found:
            found.done(outcome_of())
        return found is not None

    def close(self) -> None:
        """The process is about to end, and the thread with it."""

    def look_after(self) -> None:
        """Say where the loop is when it does not turn: one call that blocks keeps all others."""
        now = time.monotonic()
        if self._loop is None or now - self._asked_at < PAUSE:
            return
        if self._answered_at >= self._asked_at:
            self._asked_at = now
            self._loop.call_soon_threadsafe(self._answer)
        elif self._answered_at >= 0 and now - self._asked_at > BLOCKED:
            self._answered_at = TOLD
            told = "the event loop has not turned for %s s, and %s calls wait in it: a coroutine blocks it, here:\n%s"
            logger.warning(told, BLOCKED, len(self._running), stack_of_thread(self._ident))

    def _answer(self) -> None:
        self._answered_at = time.monotonic()

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        self._ident = threading.get_ident()
        asyncio.set_event_loop(loop)
        while not loop.is_closed():
            try:
                loop.run_forever()
                logger.error("a coroutine has stopped the event loop: it goes on")
            except BaseException as error:  # noqa: BLE001 - SystemExit and its like, of a task that a coroutine has made
                logger.error("a coroutine's task has ended in %r: the event loop goes on", error)
        self._begin_anew()

    def _begin_anew(self) -> None:
        """A coroutine has closed the loop: what ran in it has failed."""
        running, self._running, self._loop = self._running, {}, None
        logger.error("a coroutine has closed the event loop: %s calls in it have failed", len(running))
        for each in running.values():
            error = RuntimeError(
                f"task {each.message.task}: the event loop was closed while call {each.message.call} ran"
            )
            each.done(given_up(each.message, error, time.monotonic()))

    def _begin(self, message: Claimed, done: Callable[[Any], None]) -> None:
        task = asyncio.get_running_loop().create_task(self._call(message), name=f"tpq-{message.call}")
        self._running[message.key] = _Running(message, task, done)

    async def _call(self, message: Claimed) -> None:
        outcome = await self._runner.arun(message)
        if found := self._running.pop(message.key, None):
            found.done(outcome)
        with contextlib.suppress(Exception, asyncio.CancelledError):  # whoever cancels it now comes too late
            await self._tidied(outcome)

    async def _tidied(self, outcome: Outcome) -> None:
        """All coroutines share the thread in which Django does its synchronous work for them, and its connections."""
        now = time.monotonic()
        if now < self._tidy_at and isinstance(outcome, Success):
            return
        self._tidy_at = now + PAUSE
        await sync_to_async(_tidy)(is_suspect=not isinstance(outcome, Success))


def _tidy(*, is_suspect: bool) -> None:
    if is_suspect:
        suspect()
    tidy()
