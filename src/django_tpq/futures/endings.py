"""How a run ended, as an outcome: what it returned or raised, written and signed. It knows no database."""

import functools
import logging
import pickle
import traceback
from datetime import timedelta
from types import TracebackType
from typing import Any

from django_tpq.conf import settings
from django_tpq.futures.calls import BadSignature, Claimed, Failed, write
from django_tpq.futures.carried import is_kept
from django_tpq.futures.codecs import Codec, codec
from django_tpq.futures.errors import CallCancelled, ExecutorLost, UnknownTask
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.outcomes import Again, Failure, Lost, Outcome, Postponed, Refused, Success
from django_tpq.futures.results import ttl_of
from django_tpq.futures.retrying import final, next_try
from django_tpq.futures.verdicts import Snooze
from django_tpq.main.durations import seconds
from tpq.message import storable

__all__ = [
    "cancelled_record",
    "clean",
    "failed",
    "given_up",
    "lost",
    "lost_record",
    "raised",
    "refused",
    "returned",
    "unknown",
]

logger = logging.getLogger("django_tpq.runner")

SHORTEST_SNOOZE = timedelta(seconds=1)
"""How long a snoozed call waits at least: one that looks for something again and again would keep a thread busy."""
UNKNOWN_LIMIT = 30
"""Seconds that a call waits at most for an executor that knows its task."""
TEXT_LIMIT = 100_000
OURS = {f"django_tpq.futures.{name}" for name in ("runner", "decorators", "deadlines")}
"""Modules whose frames say nothing to whoever reads a traceback."""


def returned(options: TaskOptions, call: Claimed, how: Codec, value: Any, started: float) -> Outcome:
    """It returned a value."""
    if type(value) is Snooze:
        return Postponed(max(SHORTEST_SNOOZE, seconds(value.in_)), None)
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
    return failed(call, how, reason, started)


def raised(
    options: TaskOptions, call: Claimed, how: Codec, error: BaseException, started: float
) -> Again | Failure:
    """It raised something: there is another attempt, or it has failed."""
    attempt, kind = call.attempt + 1, type(error).__name__
    try:
        wait = next_try(options, error, attempt, call.max_attempts)
    except Exception as mistake:  # noqa: BLE001 - a backoff is the project's own code
        mistake.__context__ = error
        return failed(call, how, mistake, started)
    if wait is None:
        last = final(error)
        _tell_failed(call, kind, last)
        return failed(call, how, last, started)
    told = "call %s of %s failed (%s), attempt %s of %s: again in %.1f s"
    logger.info(told, call.call, call.task, kind, attempt, call.max_attempts, wait.total_seconds())
    return Again(wait, clean(_traceback(error)), _type(error))


def _tell_failed(call: Claimed, kind: str, error: BaseException) -> None:
    """For error reporters, too; what somebody has cancelled is no error."""
    if isinstance(error, CallCancelled):
        logger.info("call %s of %s was cancelled while it ran", call.call, call.task)
    else:
        shown = _shown(error)
        text = kind if shown else f"{kind}\n{clean(_traceback(error))}"
        logger.error("call %s of %s failed: %s", call.call, call.task, text, exc_info=shown)


def failed(call: Claimed, how: Codec, error: BaseException, started: float) -> Failure:
    """It ended in an error, for good."""
    kind = _type(error)
    text = clean(_traceback(error))
    pickled = _pickled(error) if how.keeps_exceptions() else None
    written = Failed(kind, clean(_message(error)), text, pickled)
    return Failure(write(call.token, how, "F", tuple(written)), text, started, kind)


def given_up(call: Claimed, error: BaseException, started: float) -> Failure:
    """It is not run any more, or never was: nothing of its arguments needs to be read for that."""
    logger.info("call %s of %s is given up: %s", call.call, call.task, type(error).__name__)
    return failed(call, codec("json"), error, started)


def refused(call: Claimed, reason: str, started: float) -> Refused:
    """Its signature is wrong."""
    text, kind = f"refused: {reason}", f"{BadSignature.__module__}.{BadSignature.__qualname__}"
    record = write(call.token, codec("json"), "F", tuple(Failed("Refused", text, "", None)))
    return Refused(record, text, started, kind)


def unknown(call: Claimed, error: UnknownTask) -> Postponed:
    """Its task is unknown here. Slowly growing waits: beside one that knows it, its chance is a half each time."""
    _warn_of_unknown(call.task)
    delay = min(UNKNOWN_LIMIT, 2 ** min((call.claim_no - 1) // 4, 5))
    return Postponed(timedelta(seconds=delay), f"UnknownTask: {error}")


@functools.lru_cache(maxsize=1000)
def _warn_of_unknown(task: str) -> None:
    """Once for each: their calls come again and again."""
    logger.warning(
        "the task %r is unknown here: its calls wait for an executor that knows it. Is its module imported (`tasks` of "
        "an app in INSTALLED_APPS)? Was it renamed (@task(aliases=[%r]))? An executor learns of new code by a restart",
        task,
        task,
    )


def lost(call: Claimed, reason: str, started: float) -> Lost:
    """Its worker died under it."""
    text = f"its worker process died ({reason}) while it ran"
    record = lost_record(call._replace(deliveries=call.deliveries + 1))
    return Lost(record, text, started, f"{ExecutorLost.__module__}.{ExecutorLost.__qualname__}")


def lost_record(call: Claimed) -> bytes:
    """The result of a call whose executors died under it."""
    text = f"task {call.task}: its executor died while it ran, {call.deliveries} times; it is kept as a dead letter"
    written = Failed("ExecutorLost", text, "", None, lost=True)
    return write(call.token, codec("json"), "F", tuple(written))


def cancelled_record(token: str, error: CallCancelled) -> bytes:
    """The result of a call that was cancelled while it waited."""
    written = Failed(_type(error), str(error), "", None)
    return write(token, codec("json"), "F", tuple(written))


def _shown(error: BaseException) -> tuple[type[BaseException], BaseException, TracebackType | None] | None:
    """What handlers of logs show of an error; None: its own code, or its text, would break or fill them."""
    try:
        text = "".join(traceback.format_exception(error)).encode()
    except BaseException:  # noqa: BLE001 - an exception's own code may raise anything
        return None
    return (type(error), error, error.__traceback__) if len(text) <= TEXT_LIMIT else None


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


def clean(text: str) -> str:
    """Text that PostgreSQL can keep, not too long."""
    return storable(text if len(text) <= TEXT_LIMIT else f"…{text[-TEXT_LIMIT:]}")
