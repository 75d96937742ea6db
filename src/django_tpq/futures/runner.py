"""A claimed call in, an outcome out. It knows no database; whatever the task does becomes a value."""

import inspect
import logging
import pickle
import time
import traceback
from datetime import timedelta
from typing import Any

from asgiref.sync import async_to_sync

from django_tpq.conf import settings
from django_tpq.futures.calls import BadSignature, Claimed, Failed, unpack, write
from django_tpq.futures.carried import is_kept, options_of
from django_tpq.futures.codecs import Codec, codec, usual
from django_tpq.futures.context import CurrentCall, running
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.outcomes import Again, Failure, Outcome, Postponed, Refused, Success
from django_tpq.futures.registry import Registered, find, finder
from django_tpq.futures.results import ttl_of
from django_tpq.futures.retrying import final, next_try
from django_tpq.futures.signals import task_started
from django_tpq.futures.verdicts import Snooze
from django_tpq.main.durations import seconds
from tpq.message import storable

__all__ = ["Runner", "clean", "lost_record"]

logger = logging.getLogger("django_tpq.runner")

UNKNOWN_LIMIT = 30
"""Seconds that a call waits at most for an executor that knows its task."""
TEXT_LIMIT = 100_000


class Runner:
    """Runs calls."""

    def __init__(self) -> None:
        self.has_verified = False
        """Whether any signature was right in this process; if none is, it is the key that is wrong."""

    def run(self, call: Claimed) -> Outcome:
        """Run a call. Raises nothing."""
        started = time.monotonic()
        finds = finder(call.headers) if call.headers else None
        try:
            task = None if finds else find(call.task)
        except UnknownTask as error:
            return _unknown(call, error)
        try:
            how, (args, kwargs) = unpack(call.queue, call.token, call.task, call.payload)
        except BadSignature as error:
            return _refused(call, str(error), started)
        except BaseException as error:  # noqa: BLE001 - unpickling runs the arguments' own code
            self.has_verified = True
            return _failed(call, usual(), error, started)
        self.has_verified = True
        try:
            task = task or finds(call.task)  # type: ignore[misc]
        except UnknownTask as error:
            return _unknown(call, error)
        except BaseException as error:  # noqa: BLE001 - importing a module runs its code
            return _failed(call, how, error, started)
        return self._call(task, call, how, args, kwargs, started)

    def _call(
        self, task: Registered, call: Claimed, how: Codec, args: Any, kwargs: Any, started: float
    ) -> Outcome:
        context = running.set(CurrentCall(call))
        try:
            if task_started.receivers:
                task_started.send_robust(sender=type(task), task=call.task, call=str(call.call))
            return self._returned(task, call, how, task(*args, **kwargs), started)
        except BaseException as error:  # noqa: BLE001 - a task may raise anything; it becomes a value here
            return _raised(task, call, how, error, started)
        finally:
            running.reset(context)

    def _returned(self, task: Registered, call: Claimed, how: Codec, value: Any, started: float) -> Outcome:
        if value is not None and inspect.iscoroutine(
            value
        ):  # not whatever can be awaited: a task may return a future
            value = async_to_sync(_awaited)(value)
        if type(value) is Snooze:
            return Postponed(max(timedelta(0), seconds(value.in_)), None)
        options = options_of(task.options, call.headers) if call.headers else task.options
        if not ttl_of(options) and not (call.headers and is_kept(call.headers)):
            return Success(None, started)
        try:
            record, limit = write(call.token, how, "S", value), settings.MAX_PAYLOAD
            if len(record) <= limit:
                return Success(record, started)
            reason: Exception = ValueError(
                f"task {call.task}: the result takes {len(record):,} bytes, more than TPQ_MAX_PAYLOAD ({limit:,}): "
                "keep it somewhere, and return the place"
            )
        except Exception as error:  # noqa: BLE001 - pickling runs the value's own code
            reason = TypeError(
                f"task {call.task}: the result (a {type(value).__name__}) can not be written as {how.name}: {error}"
            )
        return _failed(call, how, reason, started)


def _unknown(call: Claimed, error: UnknownTask) -> Postponed:
    """Slowly growing waits: beside an executor that knows the task, its chance is a half each time."""
    delay = min(UNKNOWN_LIMIT, 2 ** min((call.claim_no - 1) // 4, 5))
    return Postponed(timedelta(seconds=delay), f"UnknownTask: {error}")


async def _awaited(value: Any) -> Any:
    return await value


def lost_record(call: Claimed) -> bytes:
    """The result of a call whose executors died under it."""
    text = f"task {call.task}: its executor died while it ran, {call.deliveries} times; it is kept as a dead letter"
    failed = Failed("ExecutorLost", text, "", None, lost=True)
    return write(call.token, codec("json"), "F", tuple(failed))


def _refused(call: Claimed, reason: str, started: float) -> Refused:
    text = f"refused: {reason}"
    return Refused(
        write(call.token, codec("json"), "F", tuple(Failed("Refused", text, "", None))), text, started
    )


def _raised(task: Registered, call: Claimed, how: Codec, error: BaseException, started: float) -> Outcome:
    attempt, kind = call.attempt + 1, type(error).__name__
    try:
        wait = next_try(options_of(task.options, call.headers), error, attempt, call.max_attempts)
    except Exception as mistake:  # noqa: BLE001 - a backoff is the project's own code
        mistake.__context__ = error
        return _failed(call, how, mistake, started)
    if wait is None:
        logger.info("call %s of %s failed: %s", call.call, call.task, kind)
        return _failed(call, how, final(error), started)
    told = "call %s of %s failed (%s), attempt %s of %s: again in %.1f s"
    logger.info(told, call.call, call.task, kind, attempt, call.max_attempts, wait.total_seconds())
    return Again(wait, clean(_traceback(error)), _type(error))


def _failed(call: Claimed, how: Codec, error: BaseException, started: float) -> Failure:
    kind = _type(error)
    text = clean(_traceback(error))
    pickled = _pickled(error) if how.keeps_exceptions() else None
    failed = Failed(kind, clean(_message(error)), text, pickled)
    return Failure(write(call.token, how, "F", tuple(failed)), text, started, kind)


def _type(error: BaseException) -> str:
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _pickled(error: BaseException) -> bytes | None:
    """The exception as bytes that are known to give it back; None: it can not be, or would end the caller."""
    if not isinstance(error, Exception):
        return None
    try:
        raw = pickle.dumps(error)
        return raw if len(raw) <= settings.MAX_PAYLOAD and type(pickle.loads(raw)) is type(error) else None
    except BaseException:  # noqa: BLE001 - an exception's own code may raise anything; then only its text travels
        return None


def _message(error: BaseException) -> str:
    try:
        return str(error)
    except BaseException:  # noqa: BLE001 - as above
        return "(its text can not be shown)"


def _traceback(error: BaseException) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_globals.get("__name__") in OURS:
        trace = trace.tb_next
    try:
        return "".join(traceback.format_exception(type(error), error, trace or error.__traceback__))
    except BaseException:  # noqa: BLE001 - as above
        return (
            "".join(traceback.format_tb(error.__traceback__))
            + f"{type(error).__qualname__}: {_message(error)}"
        )


OURS = {__name__, "django_tpq.futures.decorators"}


def clean(text: str) -> str:
    """Text that PostgreSQL can keep, not too long."""
    return storable(text if len(text) <= TEXT_LIMIT else f"…{text[-TEXT_LIMIT:]}")
