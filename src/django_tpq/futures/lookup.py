"""What became of calls: a result, a dead letter, still on its way, or gone without a word. Batched."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from django_tpq.futures import queues
from django_tpq.futures.calls import CallId
from django_tpq.futures.results import store
from tpq.table import QueueTable

__all__ = ["Arrival", "Cursor", "look_up"]

GRACE = 3.0
"""Seconds that a result may come after its row has gone (a cache is written after the commit)."""


class Cursor(Protocol):
    """Makes cursors of a connection."""

    def __call__(self) -> AbstractContextManager[Any]: ...


class Arrival(NamedTuple):
    """How a call ended: exactly one of the three."""

    record: bytes | None = None
    """Its result, signed."""
    dead: tuple[str, bool] | None = None
    """It is a dead letter without a result: the error, and whether its executors were lost."""
    expired: bool = False
    """Neither row nor result is there."""


def look_up(
    calls: Sequence[CallId], cursor: Cursor, gone_since: dict[str, float]
) -> Iterator[tuple[CallId, Arrival]]:
    """The calls that have ended. `gone_since` remembers, from look to look, whose row had gone when."""
    records = store().get([call.token for call in calls], cursor)
    yield from ((call, Arrival(record=records[call.token])) for call in calls if call.token in records)
    missing = [call for call in calls if call.token not in records]
    for name in sorted({call.queue for call in missing}):
        table = QueueTable.of_messages(queues.manager(name).model._meta.db_table, cursor)
        mine = [call for call in missing if call.queue == name]
        states = table.states([call.number for call in mine])
        for call in mine:
            if arrival := _judged(call, states.get(call.number), gone_since):
                yield call, arrival


def _judged(
    call: CallId, row: tuple[str, str | None, bool] | None, gone_since: dict[str, float]
) -> Arrival | None:
    if row is None:
        since = gone_since.setdefault(call.token, time.monotonic())
        return Arrival(expired=True) if time.monotonic() - since > GRACE else None
    gone_since.pop(call.token, None)
    state, error, lost = row
    return Arrival(dead=(error or "", lost)) if state == "dead" else None
