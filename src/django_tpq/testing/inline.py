"""Run calls at once where they are made."""

from django.test import override_settings

from django_tpq.conf import RAISE

__all__ = ["inline"]


def inline(*, raises: bool = False) -> override_settings:
    """Let `delay()` run each call at once, where it is made: for a block, or as a decorator of a test or a TestCase.

    The call is written, run and settled for real, in the caller's thread and transaction; what it raises is kept for
    `future.result()`. What is to run later (a delay, a retry, a snooze) waits: `run_pending()`, `clock()`.

    Args:
        raises: raise what a call raises where it was made, too.
    """
    return override_settings(TPQ_INLINE=RAISE if raises else True)
