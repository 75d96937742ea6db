"""Tasks with `atomic`: what the body writes to the queue's database, and its end, are one transaction of Django's.

Either all of it is committed, once, or nothing is and the call goes on as it would without. Whoever has lost the call
meanwhile (taken for dead, a server that was away) finds its receipt stale and rolls back.
"""

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db import DatabaseError, OperationalError, connections, transaction

from django_tpq.futures import queues
from django_tpq.futures.calls import COLUMNS, Claimed
from django_tpq.futures.delivery import Delivery, Ended
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.outcomes import Outcome, Postponed, Settled, Success
from tpq.table import QueueTable

__all__ = ["Atomic"]

logger = logging.getLogger("django_tpq.runner")

PATIENCE = 30
"""Claims of a call after which it is the call that is wrong, not the database."""
PASSING = {"40", "53", "57", "58"}
"""Classes of SQLSTATE: deadlocks and serialisation, resources that are used up, an operator, the system."""
CANCELLED = "57014"
"""But not this one: the statement took longer than it may."""
LONGEST = 30
"""Seconds until a call is tried again after the database was away, at most."""


OfError = Callable[[BaseException], Outcome]


class _Passing:
    """What errors of the body are: such as pass have the call tried again, whatever its task says of attempts.

    Args:
        of_error: what all others are.
    """

    def __init__(self, call: Claimed, of_error: OfError) -> None:
        self._call, self._of_error = call, of_error
        self.has_come = False

    def __call__(self, error: BaseException) -> Outcome:
        if not _passes(error) or self._call.claim_no > PATIENCE:
            return self._of_error(error)
        self.has_come = True
        told = "call %s of %s was rolled back, and is tried again: %s"
        logger.warning(told, self._call.call, self._call.task, _line(error))
        return _later(self._call)


class _Undone(Exception):
    """Ends the transaction without a commit."""


class Atomic:
    """Runs calls in transactions of the queue's database, in the threads of one process.

    Args:
        delivery: applies outcomes.
    """

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery

    def __call__(
        self,
        call: Claimed,
        options: TaskOptions,
        run: Callable[[OfError], Outcome],
        of_error: OfError,
    ) -> Outcome:
        """Run a call and settle it at once; what is left to do for it."""
        manager = queues.manager(call.queue)
        alias, committed = manager.db_for_queue, list[Settled]()
        table = QueueTable(manager.model._meta.db_table, connections[alias].cursor, COLUMNS, tuple)
        outcome: Outcome | None = None
        passing = _Passing(call, of_error)
        was_closed, connection = False, None
        try:
            with transaction.atomic(using=alias, durable=True):
                connection = connections[alias].connection
                transaction.on_commit(lambda: committed.append(settled), using=alias)
                _limit(alias, options.seconds)
                outcome = run(passing)
                was_closed = connections[alias].closed_in_transaction
                if passing.has_come:
                    raise _Undone
                settled = self._settled(table, call, outcome)
        except _Undone:
            assert outcome is not None  # noqa: S101 - it is raised for one
            is_final = was_closed or passing.has_come or call.claim_no > PATIENCE
            if is_final or _is_still(alias, connection):
                return outcome
            logger.warning("call %s of %s has lost its connection: it is tried again", call.call, call.task)
            return _later(call)
        except Exception as error:
            if not committed:
                logger.warning("call %s of %s could not be committed: %s", call.call, call.task, _line(error))
                is_ours = was_closed or call.claim_no > PATIENCE
                is_away = isinstance(error, OperationalError) or not _is_still(alias, connection)
                return _later(call) if is_away and not is_ours else of_error(error)
            logger.exception(
                "call %s of %s is committed, but what follows its commit failed", call.call, call.task
            )
        return committed[0]

    def _settled(self, table: "QueueTable[tuple[object, ...]]", call: Claimed, outcome: Outcome) -> Settled:
        if not isinstance(outcome, Success | Postponed):
            raise _Undone
        wrapper = connections[queues.manager(call.queue).db_for_queue]
        if wrapper.closed_in_transaction:
            raise DatabaseError(f"task {call.task} has closed the connection that its transaction was on")
        if wrapper.needs_rollback:
            raise DatabaseError(f"task {call.task} returned, though its transaction had failed before")
        settled = self._delivery.settle_within(Ended(table, call, outcome))  # type: ignore[arg-type]
        if settled is None:  # whoever settles this outcome anew finds so, too, and says it
            raise _Undone
        return settled


def _passes(error: BaseException) -> bool:
    """Whether the server has rolled the transaction back for reasons that are not the task's."""
    state = getattr(error.__cause__, "sqlstate", None) or ""
    return isinstance(error, OperationalError) and state[:2] in PASSING and state != CANCELLED


def _is_still(alias: str, connection: Any) -> bool:
    """Whether the transaction's connection stands: Django has another in place of one that could not even roll back."""
    return connection is not None and connections[alias].connection is connection and not connection.closed


def _later(call: Claimed) -> Postponed:
    """The database went away, or would have it tried again. Nothing has happened, so no attempt is counted."""
    delay = timedelta(seconds=min(LONGEST, 2 ** min(call.claim_no - 1, 5)))
    return Postponed(delay, "its transaction could not be committed, because the database was away or busy")


def _limit(alias: str, seconds: float | None) -> None:
    """Statements of the task end with its time: a thread that waits for the server can not be interrupted."""
    if seconds is not None:
        with connections[alias].cursor() as cursor:
            cursor.execute(
                "SELECT set_config('statement_timeout', %s, true)", [str(max(1, int(seconds * 1000)))]
            )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())
