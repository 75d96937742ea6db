"""What one can do with a message received on a lease. Each verb says `LeaseLost` when it is no longer ours."""

import contextlib
import traceback
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from asgiref.sync import sync_to_async
from django.db import models

from django_tpq.main.durations import Duration, seconds
from django_tpq.main.errors import LeaseLost
from tpq.message import storable
from tpq.table import QueueTable, Receipt

__all__ = ["Leased"]


class Leased(models.Model):
    """The verbs of a message that `receive(lease=…)` gave."""

    claim_no: int
    _lease: tuple[Callable[[], QueueTable[Any]], timedelta] | None = None
    """What gives the table on the calling thread's connection, and how long the lease was at first."""

    _is_taken = False
    """Whether it was deleted by being received."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **options: Any) -> None:
        """As any model's; but a message that was taken out is not put in again by it."""
        if self._is_taken:
            raise TypeError(
                f"message {self.pk} was taken out of its queue: save() would put it in again; enqueue() does that"
            )
        super().save(*args, **options)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is left to say: it was never on a lease, or a verb has ended the lease."""
        return self._lease is None

    def ack(self) -> None:
        """It is done: delete it."""
        self._settle("ack")

    def retry(self, delay: Duration = 0, error: str | None = None) -> None:
        """Give it back for later; it counts as an attempt."""
        self._settle("retry", [seconds(delay)], [None if error is None else storable(error)])

    def release(self) -> None:
        """Give it back untouched: it keeps its place in the line and no count moves."""
        self._settle("release")

    def bury(self, reason: str) -> None:
        """Give it up: it stays as a dead letter."""
        self._settle("bury", [storable(reason)])

    def extend(self, lease: Duration | None = None) -> None:
        """Make the lease last from now on: as long as at first, or `lease`."""
        table, first = self._on_lease()
        held = table().extend([self._receipt], first if lease is None else seconds(lease))
        self._lease = self._lease if held else None
        self._said(held)

    async def aack(self) -> None:
        """As `ack`."""
        await sync_to_async(self.ack)()

    async def aretry(self, delay: Duration = 0, error: str | None = None) -> None:
        """As `retry`."""
        await sync_to_async(self.retry)(delay, error)

    async def arelease(self) -> None:
        """As `release`."""
        await sync_to_async(self.release)()

    async def abury(self, reason: str) -> None:
        """As `bury`."""
        await sync_to_async(self.bury)(reason)

    async def aextend(self, lease: Duration | None = None) -> None:
        """As `extend`."""
        await sync_to_async(self.extend)(lease)

    def _give_back(self, error: BaseException) -> None:
        """After an exception; if the lease is lost or the server gone, the error itself matters more."""
        if not self.is_settled:
            with contextlib.suppress(Exception):
                self.retry(0, "".join(traceback.format_exception_only(error)).strip())

    @property
    def _receipt(self) -> Receipt:
        return Receipt(self.pk, self.claim_no)

    def _on_lease(self) -> tuple[Callable[[], QueueTable[Any]], timedelta]:
        if self._lease is None:
            raise TypeError(
                f"message {self.pk} is not on a lease: it was received without lease=…, or is settled already"
            )
        return self._lease

    def _settle(self, verb: str, *arguments: Any) -> None:
        table = self._on_lease()[0]()
        held = getattr(table, verb)([self._receipt], *arguments)
        self._lease = None
        self._said(held)
        if verb in {"release", "retry"}:
            table.ring("returned")

    def _said(self, held: set[int]) -> None:
        if not held:
            raise LeaseLost(
                f"message {self.pk}: its lease ended and somebody else may have it; use a longer lease or extend() it"
            )
