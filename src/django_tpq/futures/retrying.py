"""Whether a call that failed runs again, and when. Pure."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

from django_tpq.futures.errors import CallCancelled
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.verdicts import Reject, Retry
from django_tpq.main.durations import seconds
from tpq.backoff import Backoff

__all__ = ["final", "next_try"]


def next_try(options: TaskOptions, error: BaseException, attempt: int, max_attempts: int) -> timedelta | None:
    """How long until the next attempt after this one (1 and up) ended with an error; None: there is none."""
    if attempt >= max_attempts or isinstance(error, (Reject, CallCancelled)):
        return None
    if isinstance(error, Retry):
        return _wait(options, error, attempt) if error.delay is None else max(timedelta(0), error.delay)
    if isinstance(error, options.give_up_on) or not isinstance(error, options.retry_on):
        return None
    return _wait(options, error, attempt)


def _wait(options: TaskOptions, error: BaseException, attempt: int) -> timedelta | None:
    backoff = options.backoff
    if hasattr(backoff, "delay"):
        return cast("Backoff", backoff).delay(attempt)
    if callable(backoff):
        wait = cast("Callable[[BaseException, int], Any]", backoff)(error, attempt)
        return None if wait is None else max(timedelta(0), seconds(wait))
    return seconds(backoff)


def final(error: BaseException) -> BaseException:
    """What the future raises of an error when no attempt is left."""
    return error.__cause__ if isinstance(error, Retry) and error.__cause__ else error
