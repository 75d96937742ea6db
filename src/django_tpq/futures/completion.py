"""Many futures at once: each as it ends, or all of them. One listener and a few looks serve any number."""

import asyncio
import contextlib
import functools
import queue
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from asgiref.sync import sync_to_async
from django.db import DatabaseError, InterfaceError, connections

from django_tpq.futures import waits
from django_tpq.futures.arrivals import CHUNK, arrivals
from django_tpq.futures.births import let_go
from django_tpq.futures.calls import CallId
from django_tpq.futures.errors import ResultTimeout
from django_tpq.futures.future import SHORT, Future
from django_tpq.futures.lookup import Arrival, look_up

__all__ = ["Completions", "DoneAndNotDone", "as_completed", "wait"]

R = TypeVar("R")
Tell = Callable[[Future[Any]], None]


class DoneAndNotDone(NamedTuple, Generic[R]):
    """What `wait` gives."""

    done: set[Future[R]]
    not_done: set[Future[R]]


class Completions(Generic[R]):
    """Futures as they end: for `for` and `async for`.

    Args:
        futures: whatever order; equal ones are one.
        wait: 0: for ever; else at most so many seconds for all of them; negative: only those that have ended.
    """

    def __init__(self, futures: Iterable[Future[R]], wait: float) -> None:
        waits.check(wait)
        self._futures: dict[Future[R], None] = _each(futures)
        self._wait = wait

    def __len__(self) -> int:
        return len(self._futures)

    def __iter__(self) -> Iterator[Future[R]]:
        waits.refuse_in_a_loop()
        ended: queue.SimpleQueue[Future[R]] = queue.SimpleQueue()
        deadline, left = self._deadline(), self._futures.copy()
        with _watched(self._futures, ended.put, deadline):
            while left and (future := self._next(ended, deadline)):
                del left[future]
                yield future
        if left:
            yield from self._at_last(left, _have_ended(left))

    def _next(self, ended: "queue.SimpleQueue[Future[R]]", deadline: float) -> Future[R] | None:
        with contextlib.suppress(queue.Empty):
            return ended.get(timeout=min(SHORT, max(0.0, deadline - time.monotonic())))
        for alias in {future._alias for future in self._futures}:
            let_go(alias)
        with contextlib.suppress(queue.Empty):
            return ended.get(timeout=_left(deadline))
        return None

    async def __aiter__(self) -> AsyncIterator[Future[R]]:
        ended: asyncio.Queue[Future[R]] = asyncio.Queue()
        loop, deadline, left = asyncio.get_running_loop(), self._deadline(), self._futures.copy()

        def tell(future: Future[R]) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                loop.call_soon_threadsafe(ended.put_nowait, future)

        with _watched(self._futures, tell, deadline), contextlib.suppress(TimeoutError):
            while left:
                future = await asyncio.wait_for(ended.get(), _left(deadline))
                del left[future]
                yield future
        for future in self._at_last(left, await sync_to_async(_have_ended)(left)) if left else ():
            yield future

    def _at_last(self, left: Collection[Future[R]], ended: Collection[Future[R]]) -> Iterator[Future[R]]:
        """The time is over: those that have ended, and what of the others?"""
        yield from ended
        if number := len(left) - len(ended):
            raise ResultTimeout(f"{number} of {len(self)} calls have not ended yet")

    def _deadline(self) -> float:
        return time.monotonic() + max(0.0, self._wait) if self._wait else float("inf")


def as_completed(futures: Iterable[Future[R]], wait: float = 0) -> Completions[R]:
    """Futures as they end, for `for` and `async for`.

    Args:
        wait: 0: for ever; else at most so many seconds for all of them.

    Raises:
        ResultTimeout: the time is over, and some have not ended. Raised by the loop.
        SynchronousOnlyOperation: by a `for` where an event loop runs, which it would block.
        NotCommitted, CallRolledBack: as `Future.result`.
    """
    return Completions(futures, wait)


def wait(futures: Iterable[Future[R]], wait: float = 0, *, first: bool = False) -> DoneAndNotDone[R]:
    """Wait until all have ended, or with `first` one of them; those that have, and those that have not.

    Args:
        wait: 0: for ever; else at most so many seconds.
    """
    waits.check(wait)
    left: set[Future[R]] = set(_each(futures))
    done: set[Future[R]] = set()
    with contextlib.suppress(ResultTimeout):
        for future in as_completed(left, wait):
            done.add(future)
            if first:
                break
    return DoneAndNotDone(done, left - done)


def _each(futures: Any) -> dict[Future[R], None]:
    """Each future once, in order.

    Raises:
        TypeError: it is no iterable of futures.
    """
    if isinstance(futures, Future):
        raise TypeError(f"give several futures, or [future], not {futures!r} itself")
    if not isinstance(futures, Iterable):
        raise TypeError(f"give futures, such as a list of them, not {futures!r}")
    each = list(futures)
    if strange := [one for one in each if not isinstance(one, Future)]:
        raise TypeError(f"these must be futures, as delay() gives them, and {strange[0]!r} is none")
    return dict.fromkeys(each)


def _arrived(future: Future[Any], tell: Tell, arrival: Arrival) -> None:
    future._keep(arrival)
    tell(future)


def _left(deadline: float) -> float | None:
    return None if deadline == float("inf") else max(0.0, deadline - time.monotonic())


def _have_ended(futures: Collection[Future[R]]) -> list[Future[R]]:
    """Those that have ended, by a look of our own: who looks for all may not have come to them in so short a time."""
    ended = [future for future in futures if future._arrival]
    waiting = {future._call: future for future in futures if not future._arrival}
    with contextlib.suppress(
        DatabaseError, InterfaceError
    ):  # it is away, or the transaction that is open here has failed
        for alias, calls in _by_alias(waiting):
            for call, arrival in look_up(calls, connections[alias].cursor):
                waiting[call]._keep(arrival)
                ended.append(waiting[call])
    return ended


def _by_alias(futures: Mapping[CallId, Future[Any]]) -> Iterator[tuple[str, list[CallId]]]:
    """Their calls, as many at a time as one look takes."""
    for alias in {future._alias for future in futures.values()}:
        calls = [call for call, future in futures.items() if future._alias == alias]
        yield from ((alias, calls[start : start + CHUNK]) for start in range(0, len(calls), CHUNK))


@contextlib.contextmanager
def _watched(futures: Iterable[Future[Any]], tell: Tell, deadline: float) -> Iterator[None]:
    """Be told of each that ends while the block runs."""
    callbacks: dict[Future[Any], Callable[[Arrival], None]] = {}
    try:
        for future in futures:
            if future._arrival or future._await_birth(deadline):
                tell(future)
                continue
            callbacks[future] = functools.partial(_arrived, future, tell)
            arrivals(future._alias).watch(future._call, callbacks[future], future._made_at)
        yield
    finally:
        for future, callback in callbacks.items():
            arrivals(future._alias).forget(future._call, callback)
