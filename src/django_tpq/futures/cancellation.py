"""Cancelling a call from outside: what waits ends at once, whoever runs it is told."""

import functools
from datetime import timedelta

from django.db import connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from django_tpq.conf import settings
from django_tpq.futures import births, queues
from django_tpq.futures.calls import CallId
from django_tpq.futures.cancelling import WORD
from django_tpq.futures.endings import cancelled_record
from django_tpq.futures.errors import CallCancelled
from django_tpq.futures.results import store
from tpq.message import Message
from tpq.results import Result, ring
from tpq.table import QueueTable

__all__ = ["cancel", "tell"]

KIND = f"{CallCancelled.__module__}.{CallCancelled.__qualname__}"


def cancel(call: CallId, task: str | None) -> bool:
    """Cancel a call in the transaction that is open on the queue's database; False: it has ended.

    Who runs it is told after the commit: a row that was written to before could not be settled until then, nor could
    anything else that its executor has to settle.

    Args:
        task: the task's name, if it is known.
    """
    alias = queues.manager(call.queue).db_for_queue
    table, is_open = _table(call.queue), _will_be_committed(connections[alias])
    error = CallCancelled(f"{f'task {task}: ' if task else ''}call {call} was cancelled while it waited")
    keep = None if settings.DEAD_LETTER_TTL is None else timedelta(seconds=settings.DEAD_LETTER_TTL)
    with transaction.atomic(using=alias):
        text, filters = f"{KIND}: {error}", {"token": call.token}
        state = table.cancel(call.number, text, keep, KIND, filters, running=not is_open)
        if state == "claimed":
            table.ring(WORD)
        elif state is not None:
            tell(alias, call.token, error)
        elif is_open and _runs(call, table):
            transaction.on_commit(functools.partial(cancel, call, task), using=alias, robust=True)
            return True
    return state is not None


def _table(queue: str) -> QueueTable[Message]:
    manager = queues.manager(queue)
    return QueueTable.of_messages(manager.model._meta.db_table, connections[manager.db_for_queue].cursor)


def _will_be_committed(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether a transaction is open, and no TestCase's."""
    is_open = wrapper.in_atomic_block or not wrapper.get_autocommit()
    return is_open and not births.is_of_a_testcase(wrapper)


def _runs(call: CallId, table: QueueTable[Message]) -> bool:
    state = table.states([call.number], "token").get(call.number)
    return state is not None and state[0] == "claimed" and state[-1] == call.token


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
