"""What became of calls: a result, a dead letter, still on its way, or gone without a word. Batched."""

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

from django_tpq.futures import queues
from django_tpq.futures.calls import CallId
from django_tpq.futures.results import store
from tpq.table import QueueTable

__all__ = ["Arrival", "Cursor", "is_known", "look_up"]

GRACE = 3.0
"""Seconds that a result may come after its row has gone (a cache is written after the commit)."""
REMEMBERED = 10_000, 60.0
"""How many calls without row and result are remembered at least, and how long (seconds)."""

_gone_since: dict[str, float] = {}
_lock = threading.Lock()

Row = tuple[str, str | None, bool, str]
"""Of a call: state, error, whether its deliveries are used up, token."""


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


def look_up(calls: Sequence[CallId], cursor: Cursor) -> Iterator[tuple[CallId, Arrival]]:
    """The calls that have ended. The process remembers, from look to look, whose row had gone when."""
    rows: dict[CallId, Row | None] = {}
    records = store().get([call.token for call in calls], cursor)
    for name in {call.queue for call in calls if call.token not in records}:
        table = QueueTable.of_messages(queues.manager(name).model._meta.db_table, cursor)
        mine = [call for call in calls if call.queue == name and call.token not in records]
        rows |= _rows(table, mine)
    # Between the two looks a call may have ended: its result is read after its row was seen to have ended.
    ended = [call for call, row in rows.items() if row is None or row[0] == "dead"]
    if ended:
        records |= store().get([call.token for call in ended], cursor)
    for call in calls:
        if call.token in records:
            yield call, Arrival(record=records[call.token])
        elif arrival := _judged(call, rows[call]):
            yield call, arrival


def is_known(call: CallId, cursor: Cursor) -> bool:
    """Whether a call's row or its result can be seen: then it was committed."""
    table = QueueTable.of_messages(queues.manager(call.queue).model._meta.db_table, cursor)
    return bool(_rows(table, [call])[call] or store().get([call.token], cursor))


def _rows(table: QueueTable[Any], calls: Sequence[CallId]) -> dict[CallId, Row | None]:
    """The calls' rows. Numbers can be guessed: who does not know a call's token learns nothing of it."""
    states = table.states([call.number for call in calls], "token")
    found = {call: states.get(call.number) for call in calls}
    return {call: row if row is not None and row[3] == call.token else None for call, row in found.items()}


def _judged(call: CallId, row: Row | None) -> Arrival | None:
    """Without a result: what the row says, after the time that a result may still come."""
    if row is not None and row[0] != "dead":
        with _lock:
            _gone_since.pop(call.token, None)
        return None
    if time.monotonic() - _since(call.token) <= GRACE:
        return None
    return Arrival(expired=True) if row is None else Arrival(dead=(row[1] or "", row[2]))


def _since(token: str) -> float:
    """When this process first saw that a call's row had ended without a result."""
    number, seconds = REMEMBERED
    with _lock:
        now = time.monotonic()
        while len(_gone_since) > number and now - next(iter(_gone_since.values())) > seconds:
            del _gone_since[next(iter(_gone_since))]
        return _gone_since.setdefault(token, now)
