"""A claimed call in, an outcome out. It knows no database; whatever the task does becomes a value."""

import asyncio
import contextlib
import inspect
import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from django_tpq.futures.calls import BadSignature, Claimed, unpack
from django_tpq.futures.carried import has_expired, options_of
from django_tpq.futures.codecs import Codec, usual
from django_tpq.futures.context import CurrentCall, Progress, running
from django_tpq.futures.deadlines import Guard, Interruption, Timers, interrupt_thread, stack_of_thread
from django_tpq.futures.endings import failed, given_up, raised, refused, returned, unknown
from django_tpq.futures.errors import CallCancelled, CallExpired, CallTimeout, UnknownTask
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.outcomes import Failure, Outcome
from django_tpq.futures.own_loop import interruption, waited_for
from django_tpq.futures.registry import Registered, find, finder
from django_tpq.futures.signals import task_started

__all__ = ["Atomically", "Ready", "Runner"]

logger = logging.getLogger("django_tpq.runner")

OfError = Callable[[BaseException], Outcome]
Atomically = Callable[[Claimed, TaskOptions, Callable[[OfError], Outcome], OfError], Outcome]
"""Runs something and settles what came out in one transaction: it says what errors are, by the last one as a rule."""


class Ready(NamedTuple):
    """A call that was read and can be run."""

    task: Registered
    call: Claimed
    how: Codec
    args: Any
    kwargs: Any
    options: TaskOptions
    started: float

    def returned(self, value: Any) -> Outcome:
        """It returned."""
        return returned(self.options, self.call, self.how, value, self.started)

    def raised(self, error: BaseException) -> Outcome:
        """It raised."""
        return raised(self.options, self.call, self.how, error, self.started)


def _never(call: Claimed) -> bool:
    return False


class Runner:
    """Runs calls.

    Args:
        atomically: how calls of tasks with `atomic` run; None: as any other.
        is_cancelled: whether somebody wants a call to end.
        report: where progress goes; None: nowhere.
        on_stuck: called with a call that does not end after its timeout, and with what makes its outcome if it is to be
            given up; None: none is timed here.
    """

    def __init__(
        self,
        *,
        atomically: Atomically | None = None,
        is_cancelled: Callable[[Claimed], bool] = _never,
        report: Callable[[Claimed, Progress], Any] | None = None,
        on_stuck: Callable[[Claimed, Callable[[], Outcome]], None] | None = None,
    ) -> None:
        self._atomically, self._is_cancelled = atomically, is_cancelled
        self._report, self._on_stuck = report, on_stuck
        self._timers = Timers()
        self.has_verified = False
        """Whether any signature was right in this process; if none is, it is the key that is wrong."""

    def run(self, call: Claimed) -> Outcome:
        """Run a call in this thread. Raises nothing."""
        ready = self.read(call)
        if not isinstance(ready, Ready):
            return ready
        try:
            return self._run(ready)
        except Interruption as late:  # its time was over in our own last steps
            return ready.raised(
                CallTimeout(f"task {call.task}: its timeout was over").with_traceback(late.__traceback__)
            )

    async def arun(self, call: Claimed) -> Outcome:
        """Run the call of a coroutine function in this event loop. Raises nothing."""
        ready = self.read(call)
        if not isinstance(ready, Ready):
            return ready
        guard = self._guard_of_task(ready)
        try:
            self._begin(ready)
            function = getattr(ready.task, "acall", ready.task)
            value = function(*ready.args, **ready.kwargs)
            return ready.returned(await value if inspect.isawaitable(value) else value)
        except BaseException as error:  # noqa: BLE001 - a task may raise anything; it becomes a value here
            if guard:
                guard.end()
            cause = self._cause(ready, guard, error)
            outcome = ready.raised(cause)
            if isinstance(outcome, Failure) and (tell := getattr(ready.task, "afailed", None)):
                with _in_vain(call), contextlib.suppress(asyncio.CancelledError):  # its end is decided
                    await tell(ready.args, ready.kwargs, cause)
            return outcome
        finally:
            if guard:
                guard.end()

    def read(self, call: Claimed) -> "Ready | Outcome":
        """Find a call's task and read its arguments; an outcome: it can not be run, or not any more."""
        started = time.monotonic()
        if (call.headers or self._is_cancelled(call)) and (error := self._obstacle(call)):
            return given_up(call, error, started)
        finds = finder(call.headers) if call.headers else None
        try:
            task = None if finds else find(call.task)
        except UnknownTask as error:
            return unknown(call, error)
        try:
            how, (args, kwargs) = unpack(call.queue, call.token, call.task, call.payload)
        except BadSignature as error:
            return refused(call, str(error), started)
        except BaseException as error:  # noqa: BLE001 - unpickling runs the arguments' own code
            self.has_verified = True
            return failed(call, usual(), error, started)
        self.has_verified = True
        try:
            task = task or finds(call.task)  # type: ignore[misc]
        except UnknownTask as error:
            return unknown(call, error)
        except BaseException as error:  # noqa: BLE001 - importing a module runs its code
            return failed(call, how, error, started)
        options = options_of(task.options, call.headers) if call.headers else task.options
        return Ready(task, call, how, args, kwargs, options, started)

    def _obstacle(self, call: Claimed) -> Exception | None:
        """Why a call is not begun any more."""
        headers: Any = call.headers if isinstance(call.headers, Mapping) else {}
        if headers.get("cancelled") is True or self._is_cancelled(call):
            return CallCancelled(f"task {call.task}: call {call.call} was cancelled")
        if has_expired(headers):
            return CallExpired(f"task {call.task}: call {call.call} had not begun when its time was over")
        return None

    # Running ----------------------------------------------------------------------------------------------

    def _run(self, ready: Ready) -> Outcome:
        context = running.set(self._current(ready))
        try:
            if ready.options.atomic and self._atomically is not None:
                run = lambda of_error: self._in_thread(ready, of_error)  # noqa: E731 - it is handed on
                return self._atomically(ready.call, ready.options, run, ready.raised)
            return self._in_thread(ready, ready.raised)
        finally:
            running.reset(context)

    def _in_thread(self, ready: Ready, of_error: OfError) -> Outcome:
        guard = None
        try:
            if task_started.receivers:
                self._tell(ready)
            if ready.options.timeout is not None:
                guard = self._guard_of_thread(ready)
            value = ready.task(*ready.args, **ready.kwargs)
            if value is not None and inspect.iscoroutine(
                value
            ):  # not whatever can be awaited: it may be a future
                value = waited_for(value, guard)
            if guard:
                _leave(guard)
            return ready.returned(value)
        except BaseException as error:  # noqa: BLE001 - a task may raise anything; it becomes a value here
            while guard and not guard.has_ended:  # it may interrupt just this
                with contextlib.suppress(Interruption):
                    _leave(guard)
            cause = self._cause(ready, guard, error)
            outcome = of_error(cause)
            if isinstance(outcome, Failure) and (tell := getattr(ready.task, "failed", None)):
                with _in_vain(ready.call):
                    tell(ready.args, ready.kwargs, cause)
            return outcome

    def _cause(self, ready: Ready, guard: Guard | None, error: BaseException) -> BaseException:
        """What a run ended with that raised something: it may have been asked to end."""
        if self._is_cancelled(ready.call):
            call = ready.call
            reason = CallCancelled(f"task {call.task}: call {call.call} was cancelled while it ran")
            reason.__cause__ = error
            error = reason.with_traceback(error.__traceback__)
        return guard.error_for(error) if guard else error

    def _current(self, ready: Ready) -> CurrentCall:
        return CurrentCall(ready.call, self._is_cancelled, self._report)

    def _begin(self, ready: Ready) -> None:
        """In the context of a task of asyncio's, which ends with it."""
        running.set(self._current(ready))
        if task_started.receivers:
            self._tell(ready)

    def _tell(self, ready: Ready) -> None:
        call = ready.call
        task_started.send_robust(sender=type(ready.task), task=call.task, call=str(call.call))

    # In time ----------------------------------------------------------------------------------------------

    def _guard_of_thread(self, ready: Ready) -> Guard | None:
        ident = threading.get_ident()
        return self._guard(ready, lambda: interrupt_thread(ident), lambda: stack_of_thread(ident))

    def _guard_of_task(self, ready: Ready) -> Guard | None:
        return None if ready.options.timeout is None else self._guard(ready, *interruption())

    def _guard(self, ready: Ready, interrupt: Callable[[], Any], stack: Callable[[], str]) -> Guard | None:
        seconds, on_stuck = ready.options.seconds, self._on_stuck
        if seconds is None or on_stuck is None:
            return None
        stuck = lambda error: on_stuck(ready.call, lambda: ready.raised(error))  # noqa: E731 - it is handed on
        return Guard(ready.call, seconds, interrupt, stack, stuck).start(self._timers)


def _leave(guard: Guard) -> None:
    """From here on nothing interrupts this thread; what was under way does it here."""
    guard.end()
    interrupt_thread(threading.get_ident(), None)


@contextlib.contextmanager
def _in_vain(call: Claimed) -> Iterator[None]:
    """Whoever is told that a call has failed may fail himself: the call has ended all the same."""
    try:
        yield
    except Exception:
        logger.exception("somebody who is told of call %s of %s has failed", call.call, call.task)
