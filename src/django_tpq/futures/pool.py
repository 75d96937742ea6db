"""Tasks behind the interface of `concurrent.futures`: for code that takes a pool."""

import concurrent.futures
import threading
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import Any, ParamSpec, TypeVar, overload

from django_tpq.futures.decorators import TaskFunction
from django_tpq.futures.errors import CallCancelled
from django_tpq.futures.future import Future
from django_tpq.futures.verdicts import Snooze

__all__ = ["TaskExecutor"]

P = ParamSpec("P")
R = TypeVar("R")


class TaskExecutor(concurrent.futures.Executor):
    """A pool whose threads are the executors of the project. It takes registered tasks only.

    What `submit` gives are futures of `concurrent.futures`; their `call` is ours. A coroutine uses `adelay` instead: no
    event loop's thread may wait for a database in Django.
    """

    def __init__(self) -> None:
        self._open: set[concurrent.futures.Future[Any]] = set()
        self._lock = threading.Lock()
        self._is_shut = False

    @overload
    def submit(
        self, fn: TaskFunction[P, Coroutine[Any, Any, R | Snooze]], /, *args: P.args, **kwargs: P.kwargs
    ) -> "concurrent.futures.Future[R]": ...

    @overload
    def submit(
        self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
    ) -> "concurrent.futures.Future[R]": ...

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> "concurrent.futures.Future[Any]":
        """Enqueue a call; its future.

        Raises:
            TypeError: it is no task.
            NotCommitted: a transaction is open here.
            RuntimeError: the pool was shut down.
        """
        return self._submitted(self._task(fn).delay(*args, **kwargs))

    @overload
    def map(
        self,
        fn: TaskFunction[..., Coroutine[Any, Any, R | Snooze]],
        *iterables: Iterable[Any],
        timeout: float | None = None,
        **_: Any,
    ) -> Iterator[R]: ...

    @overload
    def map(
        self, fn: Callable[..., R], *iterables: Iterable[Any], timeout: float | None = None, **_: Any
    ) -> Iterator[R]: ...

    def map(
        self, fn: Any, *iterables: Iterable[Any], timeout: float | None = None, **_: Any
    ) -> Iterator[Any]:
        """The results for all arguments, in their order; all calls are enqueued at once.

        Raises:
            TimeoutError: they were not there after so many seconds. Raised by the loop.
        """
        futures = self._task(fn).delay_many(zip(*iterables, strict=False))
        return _results([self._submitted(future) for future in futures], timeout)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more calls; wait for those there are, or cancel them before."""
        self._is_shut = True
        with self._lock:
            left = set(self._open)
        for future in left if cancel_futures else ():
            future.cancel()
        if wait:
            concurrent.futures.wait(left)

    def _task(self, fn: Any) -> TaskFunction[..., Any]:
        if self._is_shut:
            raise RuntimeError("the pool was shut down: it takes no more calls")
        if not isinstance(fn, TaskFunction):
            raise TypeError(f"{fn!r} is no task: executors can only run what @task has registered")
        return fn

    def _submitted(self, call: Future[R]) -> "concurrent.futures.Future[R]":
        future = _Submitted(call)
        with self._lock:
            self._open.add(future)
        try:
            call.add_done_callback(lambda done: self._settle(future, done))
        except BaseException:  # its transaction is open here, so who waits for it waits for ever
            with self._lock:
                self._open.discard(future)
            raise
        return future

    def _settle(self, future: "concurrent.futures.Future[R]", done: Future[R]) -> None:
        with self._lock:
            self._open.discard(future)
        try:
            value = done.result()
        except CallCancelled:
            concurrent.futures.Future.cancel(future)
            future.set_running_or_notify_cancel()
        except BaseException as error:  # noqa: BLE001 - whatever it is, the future raises it
            future.set_exception(error)
        else:
            future.set_result(value)


class _Submitted(concurrent.futures.Future[R]):
    """A future of `concurrent.futures` for a call of ours."""

    def __init__(self, call: Future[R]) -> None:
        super().__init__()
        self.call = call

    def cancel(self) -> bool:
        """Cancel the call, also when it runs already; whether it had not ended."""
        return not self.done() and self.call.cancel()


def _results(futures: "list[concurrent.futures.Future[R]]", timeout: float | None) -> Iterator[R]:
    deadline = None if timeout is None else time.monotonic() + timeout
    for future in futures:
        yield future.result(None if deadline is None else deadline - time.monotonic())
