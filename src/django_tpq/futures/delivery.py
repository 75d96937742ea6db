"""The door out: what many runs ended with, applied in bulk, the fence first.

A row whose receipt is stale changes nothing: a late executor delivers no result and counts nothing for it.
"""

import contextlib
import logging
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg

from django_tpq.conf import settings
from django_tpq.futures.calls import Claimed
from django_tpq.futures.carried import is_kept, options_of
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.outcomes import Again, Failure, Lost, Outcome, Postponed, Refused, Settled, Success
from django_tpq.futures.postman import Postman
from django_tpq.futures.registry import find
from django_tpq.futures.results import store, ttl_of
from django_tpq.futures.signals import task_finished
from tpq.finished import finish
from tpq.results import Result, ring
from tpq.table import QueueTable, Receipt
from tpq.tally import Tally

__all__ = ["Delivery", "Ended", "Table"]

logger = logging.getLogger("django_tpq.delivery")

Table = QueueTable[Claimed]


class Ended(NamedTuple):
    """A call and what it ended with."""

    table: Table
    call: Claimed
    outcome: Outcome

    @property
    def receipt(self) -> Receipt:
        """Proof that the claim is ours."""
        return Receipt(self.call.id, self.call.claim_no)


class Delivery:
    """The door out of one process.

    Args:
        tally: where ended calls are counted.
        postman: takes results to a store that is no part of the transaction.
    """

    def __init__(self, tally: Tally, postman: Postman) -> None:
        self._tally = tally
        self._postman = postman
        self._store = store()
        self._add = getattr(self._store, "add", self._store.put)  # a store of a project's own needs none

    def settle(self, connection: psycopg.Connection[Any], ended: Sequence[Ended], *, again: bool) -> None:
        """Apply outcomes in one transaction; what follows from them goes out after its commit."""
        settled = [e for e in ended if type(e.outcome) is Settled]
        if others := [e for e in ended if type(e.outcome) is not Settled] if settled else ended:
            self._settle(connection, others, again=again)
        if settled:  # after the others: if those fail to leave, all of them come again
            self._follow(settled)

    def settle_within(self, ended: Ended) -> Settled | None:
        """Apply one outcome in the transaction that is open on its table's connection; None: its receipt is stale."""
        if not self._apply([ended], again=False):
            return None
        results, cursor = list(_results([ended]).values()), ended.table.cursor
        if results and self._store.transactional:
            self._store.put(results, cursor)
            ring(cursor, [result.token for result in results])
            results = []
        is_over = isinstance(ended.outcome, Success)
        return Settled(getattr(ended.outcome, "started", 0.0), is_over, tuple(results))

    def _follow(self, settled: Sequence[Ended]) -> None:
        """Let follow what follows from those that have settled themselves."""
        for e in settled:
            if results := e.outcome.results:  # type: ignore[union-attr]
                self._postman.take(results)
        self._after(settled)

    def _settle(self, connection: psycopg.Connection[Any], ended: Sequence[Ended], *, again: bool) -> None:
        results = _results(ended)
        transactional = bool(results) and self._store.transactional
        several = transactional or len({(e.table.name, type(e.outcome), e.call.claim_no) for e in ended}) > 1
        with _at_once(connection) if several else contextlib.nullcontext():
            held = self._apply(ended, again=again)
            kept = [result for place, result in results.items() if place in held]
            if transactional and kept:
                self._add(kept, connection.cursor)
                ring(connection.cursor, [result.token for result in kept])
        if kept and not transactional:
            self._postman.take(kept)
        self._after([ended[place] for place in held])

    def _apply(self, ended: Sequence[Ended], *, again: bool) -> Collection[int]:
        """Apply outcomes; the places of those whose receipt held."""
        held: list[int] = []
        for _, group in sorted(_by_table(ended).items()):
            places = _latest(ended, group)
            latest = [ended[place] for place in places.values()]
            ids = self._apply_to(latest[0].table, latest, again=again)
            held += places.values() if len(ids) == len(places) else [places[number] for number in ids]
        return range(len(ended)) if len(held) == len(ended) else set(held)

    def _apply_to(self, table: Table, ended: Sequence[Ended], *, again: bool) -> set[int]:
        """Apply outcomes to one table; the ids of those whose receipt held."""
        kept = [
            e for e in ended if e.call.headers and is_kept(e.call.headers) and isinstance(e.outcome, Success)
        ]
        acks = [e.call[:2] for e in ended if isinstance(e.outcome, Success)]
        if kept:
            acks = sorted(set(acks) - {e.call[:2] for e in kept})
        ids = table.ack(acks) if acks else set()
        if kept:
            ids |= self._finish(table, kept)
        if len(acks) + len(kept) < len(ended):
            ids |= self._give_back(table, [e for e in ended if not isinstance(e.outcome, Success)])
        if len(ids) == len(ended):
            return ids
        stale = [e for e in ended if e.call.id not in ids]
        if again:
            # An earlier try may have been committed although its answer was lost: those rows are gone or dead.
            states = table.states([e.call.id for e in stale])
            ids |= {e.call.id for e in stale if states.get(e.call.id, ("dead",))[0] == "dead"}
            stale = [e for e in stale if e.call.id not in ids]
        for e in stale:
            logger.warning(
                "call %s of %s was lost to another: its outcome is dropped", e.call.id, e.call.task
            )
        return ids

    def _finish(self, table: Table, kept: Sequence[Ended]) -> set[int]:
        """Move calls that have ended well to where they are kept."""
        records = [e.outcome.record or b"" for e in kept]
        return finish(table.name, kept[0].call.queue, [e.receipt for e in kept], records, table.cursor)

    def _give_back(self, table: Table, ended: Sequence[Ended]) -> set[int]:
        """Bury what failed, and postpone what can not be run here; the ids of those whose receipt held."""
        buried = [(e.receipt, e.outcome) for e in ended if isinstance(e.outcome, Failure | Refused)]
        ids: set[int] = set()
        if lost := [(e.receipt, e.outcome) for e in ended if isinstance(e.outcome, Lost)]:
            reasons, kinds = [outcome.text for _, outcome in lost], [outcome.type for _, outcome in lost]
            ids |= set(table.lose([receipt for receipt, _ in lost], reasons, _keep(), kinds))
        if buried:
            texts = [outcome.text for _, outcome in buried]
            types = [outcome.type for _, outcome in buried]
            ids |= table.bury([receipt for receipt, _ in buried], texts, _keep(), types)
        for kind, counts in ((Again, True), (Postponed, False)):
            if later := [(e.receipt, *e.outcome[:3]) for e in ended if isinstance(e.outcome, kind)]:
                receipts, delays, texts, types = map(list, zip(*later, strict=True))
                ids |= table.retry(receipts, delays, texts, types, counts=counts)
        return ids

    def _after(self, held: Iterable[Ended]) -> None:
        for e in held:
            if not _is_over(e):
                continue
            failed = not isinstance(e.outcome, Success | Settled)
            self._tally.add(e.call.task, e.outcome.started, failed=failed)  # type: ignore[union-attr]
            if task_finished.receivers:
                call = str(e.call.call)
                task_finished.send_robust(sender=type(self), task=e.call.task, call=call, failed=failed)


def _is_over(e: Ended) -> bool:
    """Whether a call has ended: it does not run again."""
    if isinstance(e.outcome, Lost):
        return e.call.deliveries + 1 >= e.call.max_deliveries
    return not isinstance(e.outcome, Postponed | Again) and not (
        isinstance(e.outcome, Settled) and not e.outcome.is_over
    )


def _by_table(ended: Sequence[Ended]) -> dict[str, list[int]]:
    """The places of what has ended, by the name of its table."""
    groups: dict[str, list[int]] = {}
    for place, e in enumerate(ended):
        groups.setdefault(e.table.name, []).append(place)
    return groups


def _latest(ended: Sequence[Ended], places: Iterable[int]) -> dict[int, int]:
    """The places by the ids of their calls, in order: two that settle lock alike. Of two claims of a row the later."""
    in_order = sorted((ended[place].call[:2], place) for place in places)
    return {number: place for (number, _), place in in_order}


@contextlib.contextmanager
def _at_once(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction in two trips: to the answer of the fence, and from there to the commit. psycopg's own takes four.

    Inside another one, as in a test, it is a savepoint.
    """
    if connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
        with connection.transaction():
            yield
        return
    try:
        with connection.pipeline():
            connection.execute("BEGIN ISOLATION LEVEL READ COMMITTED", prepare=False)
            yield
            connection.execute("COMMIT", prepare=False)
    except BaseException:
        if not connection.closed:
            connection.rollback()
        raise


def _results(ended: Sequence[Ended]) -> dict[int, Result]:
    """The results that are wanted, by their places."""
    results = {}
    for place, e in enumerate(ended):
        if e.call.headers and is_kept(e.call.headers):
            continue  # it is kept with the call itself
        if (record := e.outcome.record) is not None and _is_over(e) and (ttl := time_to_live(e.call)):
            results[place] = Result(e.call.token, record, ttl)
    return results


def time_to_live(call: Claimed) -> timedelta:
    """How long a call's result is kept; its task may be unknown here."""
    try:
        options = find(call.task).options
    except UnknownTask:
        options = TaskOptions()
    return ttl_of(options_of(options, call.headers) if call.headers else options)


def _keep() -> timedelta | None:
    ttl = settings.DEAD_LETTER_TTL
    return None if ttl is None else timedelta(seconds=ttl)
