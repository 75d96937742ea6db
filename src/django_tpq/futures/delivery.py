"""The door out: what many runs ended with, applied in bulk, the fence first.

A row whose receipt is stale changes nothing: a late executor delivers no result and counts nothing for it.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

import psycopg

from django_tpq.conf import settings
from django_tpq.futures.calls import Claimed
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.outcomes import Failure, Outcome, Postponed, Refused, Success
from django_tpq.futures.postman import Postman
from django_tpq.futures.registry import find
from django_tpq.futures.results import default_ttl, store
from django_tpq.futures.signals import task_finished
from tpq.results import Result, ring
from tpq.table import QueueTable, Receipt
from tpq.tally import Tally

__all__ = ["Delivery", "Ended"]

logger = logging.getLogger("django_tpq.delivery")

Table = QueueTable[Claimed]
Claim = tuple[str, Receipt]


class Ended(NamedTuple):
    """A call and what it ended with."""

    table: Table
    call: Claimed
    outcome: Outcome

    @property
    def receipt(self) -> Receipt:
        """Proof that the claim is ours."""
        return Receipt(self.call.id, self.call.claim_no)

    @property
    def claim(self) -> Claim:
        """Which claim it was: two queues may have calls of the same number."""
        return self.table.name, self.receipt


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

    def settle(self, connection: psycopg.Connection[Any], ended: Sequence[Ended], *, again: bool) -> None:
        """Apply outcomes in one transaction; what follows from them goes out after its commit."""
        final = [e for e in ended if not isinstance(e.outcome, Postponed)]
        results = [_result(e) for e in final]
        transactional = self._store.transactional and any(r.ttl for r in results)
        if transactional or len({(e.table.name, type(e.outcome)) for e in ended}) > 1:
            # In a pipeline two trips do for all: to the answer of the fence, and from there to the commit.
            with connection.pipeline(), connection.transaction():
                held = self._apply(ended, again=again)
                kept = [r for e, r in zip(final, results, strict=True) if e.claim in held and r.ttl]
                if transactional and kept:
                    self._store.put(kept, connection.cursor)
                    ring(connection.cursor, [r.token for r in kept])
        else:
            held = self._apply(ended, again=again)
            kept = [r for e, r in zip(final, results, strict=True) if e.claim in held and r.ttl]
        if kept and not transactional:
            self._postman.take(kept)
        self._after(final, held)

    def _apply(self, ended: Sequence[Ended], *, again: bool) -> set[Claim]:
        by_table: dict[str, dict[int, Ended]] = defaultdict(dict)
        for e in sorted(ended, key=lambda e: e.claim):
            by_table[e.table.name][e.call.id] = e  # of two claims of one row only the later can hold
        held: set[Claim] = set()
        for group in by_table.values():
            latest = list(group.values())
            held |= self._apply_to(latest[0].table, latest, again=again)
        return held

    def _apply_to(self, table: Table, ended: Sequence[Ended], *, again: bool) -> set[Claim]:
        acks, burials, retries = [], [], []
        for e in ended:
            match e.outcome:
                case Success():
                    acks.append(e.receipt)
                case Failure(text=text) | Refused(text=text):
                    burials.append((e.receipt, text))
                case Postponed(delay=delay, text=text):
                    retries.append((e.receipt, delay, text))
        ids: set[int] = set()
        if acks:
            ids |= table.ack(acks)
        if burials:
            ids |= table.bury([r for r, _ in burials], [text for _, text in burials], _keep())
        if retries:
            receipts, delays, texts = zip(*retries, strict=True)
            ids |= table.retry(receipts, delays, texts, counts=False)
        stale = [e for e in ended if e.call.id not in ids]
        if stale and again:
            # An earlier try may have been committed although its answer was lost: those rows are gone or dead.
            states = table.states([e.call.id for e in stale])
            ids |= {e.call.id for e in stale if states.get(e.call.id, ("dead",))[0] == "dead"}
            stale = [e for e in stale if e.call.id not in ids]
        for e in stale:
            logger.warning(
                "call %s of %s was lost to another: its outcome is dropped", e.call.id, e.call.task
            )
        return {e.claim for e in ended if e.call.id in ids}

    def _after(self, final: Iterable[Ended], held: set[Claim]) -> None:
        for e in final:
            if e.claim in held and not isinstance(e.outcome, Postponed):
                failed = not isinstance(e.outcome, Success)
                self._tally.add(e.call.task, e.outcome.started, failed=failed)
                if task_finished.receivers:
                    call = str(e.call.call)
                    task_finished.send_robust(sender=type(self), task=e.call.task, call=call, failed=failed)


def _result(ended: Ended) -> Result:
    assert not isinstance(ended.outcome, Postponed)  # noqa: S101 - they are sorted out before
    return Result(ended.call.token, ended.outcome.record, ttl_of(ended.call.task))


def ttl_of(task: str) -> timedelta:
    """How long a task's results are kept."""
    try:
        ttl = find(task).options.result_ttl
    except UnknownTask:
        ttl = None
    if ttl is None:
        return default_ttl()
    return ttl if isinstance(ttl, timedelta) else timedelta(seconds=ttl)


def _keep() -> timedelta | None:
    ttl = settings.DEAD_LETTER_TTL
    return None if ttl is None else timedelta(seconds=ttl)
