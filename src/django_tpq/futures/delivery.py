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
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.outcomes import Failure, Outcome, Postponed, Refused, Success
from django_tpq.futures.postman import Postman
from django_tpq.futures.registry import find
from django_tpq.futures.results import store, ttl_of
from django_tpq.futures.signals import task_finished
from tpq.results import Result, ring
from tpq.table import QueueTable, Receipt
from tpq.tally import Tally

__all__ = ["Delivery", "Ended"]

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

    def settle(self, connection: psycopg.Connection[Any], ended: Sequence[Ended], *, again: bool) -> None:
        """Apply outcomes in one transaction; what follows from them goes out after its commit."""
        results = _results(ended)
        transactional = bool(results) and self._store.transactional
        several = transactional or len({(e.table.name, type(e.outcome)) for e in ended}) > 1
        with _at_once(connection) if several else contextlib.nullcontext():
            held = self._apply(ended, again=again)
            kept = [result for place, result in results.items() if place in held]
            if transactional and kept:
                self._store.put(kept, connection.cursor)
                ring(connection.cursor, [result.token for result in kept])
        if kept and not transactional:
            self._postman.take(kept)
        self._after([ended[place] for place in held])

    def _apply(self, ended: Sequence[Ended], *, again: bool) -> Collection[int]:
        """Apply outcomes; the places of those whose receipt held."""
        groups: dict[str, dict[int, int]] = {}
        for place, e in enumerate(ended):
            group = groups.setdefault(e.table.name, {})
            known = group.setdefault(e.call.id, place)
            if known != place and ended[known].call.claim_no < e.call.claim_no:
                group[e.call.id] = place  # of two claims of one row only the later can hold
        held: list[int] = []
        for _, places in sorted(groups.items()):
            latest = [
                ended[place] for _, place in sorted(places.items())
            ]  # two that settle lock in one order
            ids = self._apply_to(latest[0].table, latest, again=again)
            held += places.values() if len(ids) == len(places) else [places[number] for number in ids]
        return held if len(held) == len(ended) and len(groups) == 1 else set(held)

    def _apply_to(self, table: Table, ended: Sequence[Ended], *, again: bool) -> set[int]:
        """Apply outcomes to one table; the ids of those whose receipt held."""
        acks, burials, retries = [], [], []
        for e in ended:
            receipt = e.call.id, e.call.claim_no
            match e.outcome:
                case Success():
                    acks.append(receipt)
                case Failure(text=text) | Refused(text=text):
                    burials.append((receipt, text))
                case Postponed(delay=delay, text=text):
                    retries.append((receipt, delay, text))
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
        return ids

    def _after(self, held: Iterable[Ended]) -> None:
        for e in held:
            if isinstance(e.outcome, Postponed):
                continue
            failed = not isinstance(e.outcome, Success)
            self._tally.add(e.call.task, e.outcome.started, failed=failed)
            if task_finished.receivers:
                call = str(e.call.call)
                task_finished.send_robust(sender=type(self), task=e.call.task, call=call, failed=failed)


@contextlib.contextmanager
def _at_once(connection: psycopg.Connection[Any]) -> Iterator[None]:
    """A transaction in two trips: to the answer of the fence, and from there to the commit."""
    with connection.pipeline(), connection.transaction():
        yield


def _results(ended: Sequence[Ended]) -> dict[int, Result]:
    """The results that are wanted, by their places."""
    results = {}
    for place, e in enumerate(ended):
        record = None if isinstance(e.outcome, Postponed) else e.outcome.record
        if record is not None and (ttl := time_to_live(e.call)):
            results[place] = Result(e.call.token, record, ttl)
    return results


def time_to_live(call: Claimed) -> timedelta:
    """How long a call's result is kept; its task may be unknown here."""
    try:
        return ttl_of(find(call.task).options, call.headers)
    except UnknownTask:
        return ttl_of(TaskOptions(), call.headers)


def _keep() -> timedelta | None:
    ttl = settings.DEAD_LETTER_TTL
    return None if ttl is None else timedelta(seconds=ttl)
