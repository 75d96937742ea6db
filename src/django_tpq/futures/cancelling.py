"""Which calls of this process somebody wants to end: told by the bell, and asked for now and then."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django_tpq.futures.calls import Claimed, Key
from tpq.table import QueueTable

__all__ = ["WORD", "Cancelled"]

WORD = "cancelled"
"""What the bell of a queue says when a call that runs is cancelled."""
LOOK = 5.0
"""Seconds between looks without a bell."""


class Cancelled:
    """The calls of one process that are to end.

    Args:
        interrupt: ends one that can be ended from outside.
    """

    def __init__(self, interrupt: Callable[[Key], None]) -> None:
        self._interrupt = interrupt
        self._keys: set[Key] = set()
        self._look_at = 0.0

    def __contains__(self, call: Claimed) -> bool:
        return bool(self._keys) and call.key in self._keys

    def rung(self) -> None:
        """Somebody was cancelled. From any thread."""
        self._look_at = 0.0

    @property
    def is_due(self) -> bool:
        """Whether it is time to look."""
        return time.monotonic() >= self._look_at

    def look(
        self, in_hand: Mapping[str, Iterable[tuple[int, int]]], tables: Mapping[str, QueueTable[Any]]
    ) -> None:
        """Ask for those among the claims (id, claim_no) in hand, by queue."""
        self._look_at = time.monotonic() + LOOK
        for queue, claims in in_hand.items():
            claim_nos = {
                number: claim_no for number, claim_no in claims if (queue, number, claim_no) not in self._keys
            }
            for number in tables[queue].cancelled(list(claim_nos)) if claim_nos else ():
                key = queue, number, claim_nos[number]
                self._keys.add(key)
                self._interrupt(key)

    def have_ended(self, calls: Iterable[Claimed]) -> None:
        """These need not be remembered."""
        if self._keys:
            self._keys.difference_update(call.key for call in calls)
