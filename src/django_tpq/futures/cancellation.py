"""Cancelling a call from outside: what waits ends at once, whoever runs it is told."""

from datetime import timedelta

from django.db import connections, transaction

from django_tpq.conf import settings
from django_tpq.futures import births, queues
from django_tpq.futures.calls import CallId
from django_tpq.futures.cancelling import WORD
from django_tpq.futures.endings import cancelled_record
from django_tpq.futures.errors import CallCancelled
from django_tpq.futures.results import store
from tpq.results import Result, ring
from tpq.table import QueueTable

__all__ = ["cancel", "tell"]

KIND = f"{CallCancelled.__module__}.{CallCancelled.__qualname__}"


def cancel(call: CallId, task: str | None) -> bool:
    """Cancel a call in the transaction that is open on the queue's database; False: it has ended.

    Args:
        task: the task's name, if it is known.
    """
    manager = queues.manager(call.queue)
    alias = manager.db_for_queue
    table = QueueTable.of_messages(manager.model._meta.db_table, connections[alias].cursor)
    error = CallCancelled(f"{f'task {task}: ' if task else ''}call {call} was cancelled while it waited")
    keep = None if settings.DEAD_LETTER_TTL is None else timedelta(seconds=settings.DEAD_LETTER_TTL)
    with transaction.atomic(using=alias):
        state = table.cancel(call.number, f"{KIND}: {error}", keep, KIND, {"token": call.token})
        if state == "claimed":
            table.ring(WORD)
        elif state is not None:
            tell(alias, call.token, error)
    return state is not None


def tell(alias: str, token: str, error: CallCancelled) -> None:
    """Let the future know: with the transaction; after it where results are elsewhere, unless it is a TestCase's."""
    cursor, result = connections[alias].cursor, Result(token, cancelled_record(token, error), _ttl())
    births.ran_inside(connections[alias])

    def put() -> None:
        store().put([result], cursor)
        ring(cursor, [result.token])

    if store().transactional or births.is_of_a_testcase(connections[alias]):
        put()
    else:
        transaction.on_commit(put, using=alias, robust=True)


def _ttl() -> timedelta:
    """Its task's time to live may be another; nobody has paid for a result yet, so the usual one will do."""
    return timedelta(seconds=settings.RESULT_TTL)
