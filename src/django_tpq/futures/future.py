"""The caller's handle on a call."""

import asyncio
import contextlib
import logging
import threading
import time
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

from django_tpq.futures import queues, waits
from django_tpq.futures.answers import answer, exception_of
from django_tpq.futures.arrivals import arrivals
from django_tpq.futures.births import Unborn, let_go
from django_tpq.futures.calls import CallId
from django_tpq.futures.cancellation import cancel
from django_tpq.futures.errors import CallRolledBack, NotCommitted, ResultTimeout
from django_tpq.futures.lookup import Arrival, is_known, look_up
from django_tpq.futures.seen import Seen, progress_of
from django_tpq.futures.standing import CallState, state_of

__all__ = ["Future"]

R = TypeVar("R")

logger = logging.getLogger("django_tpq.futures")

SHORT = 0.5
"""Seconds that one waits before the database connection is let go."""


class Future(Generic[R]):
    """The handle on a call: ask whether it is done, wait for its result. Picklable; equal by its id."""

    __slots__ = ("_arrival", "_call", "_made_at", "_task", "_unborn")

    def __init__(
        self, call: CallId, unborn: Unborn | None = None, task: str | None = None, made_at: float = 0.0
    ) -> None:
        self._call = call
        self._unborn = unborn
        self._task = task
        self._made_at = made_at
        self._arrival: Arrival | None = None

    @classmethod
    def get(cls, id: str) -> "Future[Any]":  # noqa: A002 - the public name
        """The future of an id, from any process.

        Raises:
            ValueError: the text is no call's id.
        """
        return Future(CallId.parse(id))

    @property
    def id(self) -> str:
        """Text that finds the call from any process; under 64 characters."""
        return str(self._call)

    def is_done(self) -> bool:
        """Whether `result()` would answer now, with a value or an exception."""
        try:
            return self._is_born() and self._look() is not None
        except CallRolledBack:
            return True

    def result(self, wait: float = -1) -> R:
        """The value that the task returned; what it raised is raised, with its traceback there as a note.

        Args:
            wait: negative: do not wait; 0: wait for ever; else at most so many seconds.

        Raises:
            ResultTimeout: it is not there yet.
            ResultExpired: it is gone.
            NotCommitted: the call was made in the transaction that is open here.
            CallRolledBack: the call was never committed.
            TaskFailed: what it raised can not be raised here; the text has it all.
            ExecutorLost: the executor died under it, each time.
        """
        return answer(self._call, self._arrived(wait))  # type: ignore[no-any-return]

    def exception(self, wait: float = -1) -> BaseException | None:
        """What `result()` would raise for the task; None when it returned. Waits and raises as `result`."""
        return exception_of(self._call, self._arrived(wait))

    def cancel(self) -> bool:
        """Ask for the call not to run, in the transaction that is open here, if any.

        What waits is a dead letter then; what runs is told: a coroutine is cancelled, a process of its own ended, and
        in a thread `current_call().is_cancelled` says so. Its future raises `CallCancelled`, unless it returns first.
        False: it had ended before.
        """
        return cancel(self._call, self._task)

    def state(self) -> CallState:
        """Where it stands, in one word: `ready`, `waiting`, `claimed`, `succeeded`, `failed`, `cancelled` or `gone`."""
        return state_of(self._call, connections[self._alias].cursor)

    def progress(self) -> "Seen | None":
        """What the call has last said by `current_call().progress(…)`; None: nothing."""
        return progress_of(self._call, connections[self._alias].cursor)

    def add_done_callback(self, callback: "Callable[[Future[R]], Any]") -> None:
        """Call a function with this future once it has ended, in a thread of the process. What it raises is logged."""

        def arrive(arrival: Arrival) -> None:
            self._keep(arrival)
            try:
                callback(self)
            except Exception:
                logger.exception("the callback of %s failed", self)

        if arrival := self._await_birth(float("inf")):
            arrive(arrival)
        else:
            arrivals(self._alias).watch(self._call, arrive, self._made_at)

    async def acancel(self) -> bool:
        """As `cancel`."""
        return await sync_to_async(self.cancel)()

    async def aprogress(self) -> "Seen | None":
        """As `progress`."""
        return await sync_to_async(self.progress)()

    async def ais_done(self) -> bool:
        """As `is_done`."""
        return await sync_to_async(self.is_done)()

    async def aresult(self, wait: float = -1) -> R:
        """As `result`; waiting blocks no thread."""
        return answer(self._call, await self._aarrived(wait))  # type: ignore[no-any-return]

    async def aexception(self, wait: float = -1) -> BaseException | None:
        """As `exception`; waiting blocks no thread."""
        return exception_of(self._call, await self._aarrived(wait))

    def __await__(self) -> Generator[Any, None, R]:
        return self.aresult(wait=0).__await__()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Future) and other._call == self._call

    def __hash__(self) -> int:
        return hash(self._call)

    def __reduce__(self) -> tuple[Any, ...]:
        return Future, (self._call, None, self._task)

    def __repr__(self) -> str:
        return f"<Future {self.id}{f' of {self._task}' if self._task else ''}>"

    # ------------------------------------------------------------------------------------------------------

    @property
    def _alias(self) -> str:
        return queues.manager(self._call.queue).db_for_queue

    def _look(self) -> Arrival | None:
        """One look, on the caller's own connection."""
        if self._arrival is None:
            cursor = connections[self._alias].cursor
            for _, arrival in look_up([self._call], cursor):
                self._keep(arrival)
                return arrival
        return self._arrival

    def _keep(self, arrival: Arrival) -> None:
        """What is expired may have been made in a transaction that is not committed yet: that is looked for again."""
        if not arrival.expired:
            self._arrival = arrival

    def _is_born(self) -> bool:
        """Whether the call is committed; False: its transaction is still open.

        Raises:
            CallRolledBack: it was rolled back.
        """
        unborn = self._unborn
        if unborn is None or unborn.is_committed:
            return True
        if unborn.is_pending:
            return unborn.is_run_inside and self._look() is not None
        # Rolled back, or committed a moment ago, by a transaction whose other hooks still run or have failed.
        if not unborn.is_committed and not is_known(self._call, connections[self._alias].cursor):
            raise CallRolledBack(
                f"call {self.id}: the transaction that made it was rolled back, so it never runs"
            )
        unborn.is_committed = True
        return True

    def _is_born_elsewhere(self) -> bool:
        """As `_is_born`, where somebody waits.

        Raises:
            NotCommitted: it is this thread's transaction that is open, so waiting can not help.
        """
        if self._is_born():
            return True
        if self._unborn is not None and self._unborn.is_here:
            raise NotCommitted(
                f"call {self.id} was made in a transaction that is still open here: ask after the commit, for "
                "instance in transaction.on_commit(), or in a test after run_pending()"
            )
        return False

    def _ready(self, wait: float) -> Arrival | None:
        arrival = self._look() if self._is_born_elsewhere() else None
        if arrival is None and wait < 0:
            raise self._timeout()
        return arrival

    def _arrived(self, wait: float) -> Arrival:
        waits.check(wait, blocks=self._arrival is None)
        arrival, watched = self._arrival, arrivals(self._alias)
        if arrival is None and (wait < 0 or not watched.hears_since(self._made_at)):
            arrival = self._ready(wait)
        if arrival is not None:
            return arrival
        deadline = time.monotonic() + wait if wait else float("inf")
        if arrival := self._await_birth(deadline):
            return arrival
        done, found = threading.Event(), []

        def arrive(arrival: Arrival) -> None:
            found.append(arrival)
            done.set()

        watched.watch(self._call, arrive, self._made_at)
        try:
            if not done.wait(_left(deadline, SHORT)):
                let_go(self._alias)
                done.wait(_left(deadline, threading.TIMEOUT_MAX))
        finally:
            watched.forget(self._call, arrive)
        if not found:
            raise self._timeout()
        self._keep(found[0])
        return found[0]

    def _await_birth(self, deadline: float) -> Arrival | None:
        """Wait for another thread's transaction to commit; what is known of the call by then."""
        while not self._is_born_elsewhere():
            if time.monotonic() > deadline:
                raise self._timeout()
            time.sleep(0.01)
        return self._arrival

    async def _aawait_birth(self, deadline: float) -> Arrival | None:
        """As `_await_birth`."""
        while not await sync_to_async(self._is_born_elsewhere)():
            if time.monotonic() > deadline:
                raise self._timeout()
            await asyncio.sleep(0.01)
        return self._arrival

    async def _aarrived(self, wait: float) -> Arrival:
        waits.check(wait)
        # Who waits for ever leaves the first look to the arrivals' thread, which looks once for all who are new.
        if arrival := self._arrival or (await sync_to_async(self._ready)(wait) if wait else None):
            return arrival
        deadline = time.monotonic() + wait if wait else float("inf")
        is_unborn = self._unborn is not None and not self._unborn.is_committed
        if is_unborn and (arrival := await self._aawait_birth(deadline)):
            return arrival
        loop = asyncio.get_running_loop()
        arrived: asyncio.Future[Arrival] = loop.create_future()
        watched = arrivals(self._alias)

        def settle(arrival: Arrival) -> None:
            if not arrived.done():
                arrived.set_result(arrival)

        def arrive(arrival: Arrival) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(settle, arrival)

        watched.watch(self._call, arrive, self._made_at)
        try:
            async with asyncio.timeout(None if deadline == float("inf") else deadline - time.monotonic()):
                found = await arrived
        except TimeoutError:
            raise self._timeout() from None
        finally:
            watched.forget(self._call, arrive)
        self._keep(found)
        return found

    def _timeout(self) -> ResultTimeout:
        return ResultTimeout(f"call {self.id} has not ended yet")


def _left(deadline: float, at_most: float) -> float:
    return max(0.0, min(deadline - time.monotonic(), at_most))
