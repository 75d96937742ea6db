"""Calls run here: in this thread, on Django's own connection, in whatever transaction is open there.

Everything else is as in an executor: the runner, the door out, results, counts, retries.
"""

import contextlib
import functools
import json
import logging
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from datetime import timedelta
from types import TracebackType
from typing import Any, NamedTuple, Self

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.pq import TransactionStatus

from django_tpq.futures import births, queues
from django_tpq.futures.calls import COLUMNS, CallId, Claimed, read
from django_tpq.futures.delivery import Delivery, Ended
from django_tpq.futures.endings import lost_record
from django_tpq.futures.failures import of_failure
from django_tpq.futures.losses import deliver_losses
from django_tpq.futures.options import LANES
from django_tpq.futures.outcomes import Failure, Outcome, Refused
from django_tpq.futures.postman import Postman
from django_tpq.futures.reports import Reports
from django_tpq.futures.results import store
from django_tpq.futures.runner import Runner
from tpq.heartbeat import Moved
from tpq.results import Result, ring
from tpq.table import QueueTable, Receipt
from tpq.tally import Tally

__all__ = ["Here", "Interference", "Lost", "Run", "exception_of", "interferences"]

logger = logging.getLogger("django_tpq.here")

LEASE = timedelta(days=1)
"""How long a call may run here until others take it for lost."""
PROMOTED = 500
"""How many calls that fell due are brought back at once."""
INTERRUPTED = "builtins.KeyboardInterrupt"


class Lost(NamedTuple):
    """The executor of a call is lost, as a test has said."""

    state: str
    """What has become of it: `ready`, or `dead` after the last delivery."""
    record: bytes | None
    """The result, if it is dead."""


Run = Callable[[Claimed], Outcome | None]
"""Runs a claimed call. None: its executor is lost."""
Interference = Callable[[Claimed, Run], Outcome | None]
"""A claimed call, and what would run it."""

interferences: ContextVar[tuple[Interference, ...]] = ContextVar("tpq_interferences", default=())
"""What stands between calls and their runs: accidents that a test simulates."""


class Here:
    """Runs calls of one database. A context manager: at its end, what ran is counted.

    Args:
        alias: the database.
    """

    def __init__(self, alias: str) -> None:
        self._wrapper: BaseDatabaseWrapper = connections[alias]
        self._tally, self._reports = Tally("tpq_tally"), Reports()
        self._runner = Runner(report=self._reports.take)
        self._delivery = Delivery(self._tally, _Handed(self._wrapper))
        self._consumer = -secrets.randbits(62) - 1  # no executor's
        self._tables: dict[str, QueueTable[Claimed]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not _is_broken(self._wrapper):
            self._tally.flush(self._connection)

    def table(self, queue: str) -> QueueTable[Claimed]:
        """The table of a queue."""
        if queue not in self._tables:
            self._tables[queue] = queues.manager(queue).table(COLUMNS, lambda row: _claimed(queue, row))
        return self._tables[queue]

    def due(self, queue: str) -> int:
        """How many calls of a queue could be run now."""
        return self.table(queue).count()

    def next(self, queue: str) -> Claimed | None:
        """Claim the call of a queue that an executor would run next; None: there is none to run now."""
        table = self.table(queue)
        while len(table.promote(PROMOTED)) == PROMOTED:
            pass
        claimed = table.claim_suspects(self._consumer)
        for lane in LANES.values():
            claimed = claimed or table.claim(self._consumer, 1, lane=lane)
        return claimed[0] if claimed else None

    def take(self, call: CallId) -> Claimed | None:
        """Claim this call, on a lease: no heart beats here. None: it is not to be run now, or somebody has it."""
        table, leased = self.table(call.queue), list[Claimed]()
        for lane in LANES.values():
            leased = leased or table.lease(LEASE, 1, {"id": call.number}, lane)
        return leased[0] if leased else None

    def run(self, call: Claimed) -> Outcome | Lost:
        """Run a claimed call and settle it; what came out."""
        table, hooks = self.table(call.queue), len(self._wrapper.run_on_commit)
        with contextlib.ExitStack() as stack:
            for wrapper in connections.all(initialized_only=True):
                stack.enter_context(_unbroken(wrapper))
            outcome = self._outcome(call)
        self._wrapper.ensure_connection()  # a task may close it
        self._reports.flush(self._connection)
        if outcome is None:
            return self._lose(table, call)
        self._delivery.settle(self._connection, [Ended(table, call, outcome)], again=False)
        if births.is_of_a_testcase(self._wrapper):
            self._fire(hooks)
        births.ran_inside(self._wrapper)
        if isinstance(outcome, Failure) and outcome.type == INTERRUPTED:
            raise KeyboardInterrupt
        return outcome

    # ------------------------------------------------------------------------------------------------------

    @property
    def _connection(self) -> Any:
        return self._wrapper.connection

    def _outcome(self, call: Claimed) -> Outcome | None:
        run: Run = self._runner.run
        for interference in interferences.get():
            run = functools.partial(_interfered, interference, run)
        return run(call)

    def _fire(self, hooks: int) -> None:
        """Run what calls have put off until the commit: a TestCase never commits."""
        waiting: Any = self._wrapper.run_on_commit
        while len(waiting) > hooks:
            _, hook, is_robust = waiting.pop(hooks)
            try:
                hook()
            except Exception:
                if not is_robust:
                    raise
                logger.exception("a hook of on_commit failed")

    def _lose(self, table: QueueTable[Claimed], call: Claimed) -> Lost:
        """As if the executor had died under the call: a consumer's claim is taken back, a lease ends."""
        moved = table.reclaim([self._consumer], [call.id])
        if not moved:
            table.extend([Receipt(call.id, call.claim_no)], timedelta(0))
            row = call._replace(deliveries=call.deliveries + 1)
            moved = [(id_, state, row) for id_, state in table.promote(1, {"id": call.id})]
        lost = [Moved(call.queue, state, row) for _, state, row in moved]
        deliver_losses(self._connection, lost, tidy=lambda: None)  # a test's connection is no old one
        births.ran_inside(self._wrapper)
        ((_, state, row),) = lost
        return Lost(state, lost_record(row) if state == "dead" else None)


class _Handed(Postman):
    """Takes results to a cache at once, on the same connection: nobody else's transaction waits here."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        super().__init__(store(), lambda: wrapper.connection)

    def take(self, results: Sequence[Result]) -> None:
        """Take results over."""
        self._store.put(results, self._cursor)
        ring(self._cursor, [result.token for result in results])


def exception_of(call: Claimed, outcome: Outcome | Lost) -> BaseException | None:
    """What the future of a call that has ended raises; None: it raises nothing, or the call has not ended."""
    if not isinstance(outcome, Failure | Refused | Lost) or outcome.record is None:
        return None
    return of_failure(str(call.call), read(call.token, outcome.record))


def _interfered(interference: Interference, run: Run, call: Claimed) -> Outcome | None:
    return interference(call, run)


@contextlib.contextmanager
def _unbroken(wrapper: Any) -> Iterator[None]:
    """Undo what a call has done in a database if it leaves the transaction that is open there broken."""
    if not wrapper.in_atomic_block or _is_broken(wrapper):
        yield
        return
    point, hooks = wrapper.savepoint(), len(wrapper.run_on_commit)
    yield
    if _is_broken(wrapper):
        wrapper.needs_rollback = False
        wrapper.savepoint_rollback(point)
        del wrapper.run_on_commit[hooks:]
    else:
        wrapper.savepoint_commit(point)


def _is_broken(wrapper: BaseDatabaseWrapper) -> bool:
    """Whether the transaction that is open can only be rolled back."""
    if wrapper.connection is None or not wrapper.in_atomic_block:
        return False
    if wrapper.needs_rollback or wrapper.vendor != "postgresql":
        return wrapper.needs_rollback
    return bool(wrapper.connection.info.transaction_status == TransactionStatus.INERROR)


def _claimed(queue: str, row: tuple[Any, ...]) -> Claimed:
    call = Claimed._make((*row, queue))
    headers: Any = call.headers
    return call._replace(headers=json.loads(headers)) if isinstance(headers, str) else call
