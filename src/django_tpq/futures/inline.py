"""Calls that run at once where they are made, for a shell and for tests without an executor (TPQ_INLINE)."""

import functools
from collections.abc import Sequence
from itertools import groupby

from django.db import connections, transaction

from django_tpq.conf import RAISE, settings
from django_tpq.futures import inlining, queues
from django_tpq.futures.births import is_of_a_testcase
from django_tpq.futures.calls import CallId
from django_tpq.futures.here import Here, Lost, exception_of
from django_tpq.futures.outcomes import Again

__all__ = ["run"]


def run(calls: Sequence[CallId]) -> None:
    """Run calls that were just made; those of an open transaction after its commit, unless it is a TestCase's."""
    for alias, group in groupby(calls, lambda call: queues.manager(call.queue).db_for_queue):
        wrapper = connections[alias]
        run_them = functools.partial(_run_on, alias, list(group))
        if wrapper.in_atomic_block and not is_of_a_testcase(wrapper):
            transaction.on_commit(run_them, using=alias)
        else:
            run_them()


def _run_on(alias: str, calls: Sequence[CallId]) -> None:
    with Here(alias) as here:
        errors = [error for call in calls if (error := _run_one(here, call)) is not None]
    if errors and settings.INLINE == RAISE:
        raise errors[0]


def _run_one(here: Here, call: CallId) -> BaseException | None:
    """Run a call, and again as long as it has another attempt at once; what it raised at last."""
    while claimed := here.take(call):
        outcome = here.run(claimed)
        if not isinstance(outcome, Again) and not (isinstance(outcome, Lost) and outcome.state == "ready"):
            return exception_of(claimed, outcome)
    return None


inlining.run_by(run)
