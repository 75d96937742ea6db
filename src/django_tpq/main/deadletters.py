"""Dead letters as a query set: chosen by the ORM, and revived or deleted in batches, whatever their number.

`Orders.objects.dead().filter(tenant="acme", error_type="builtins.OSError", died_at__gte=yesterday).requeue()`
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Self, TypeVar

from asgiref.sync import sync_to_async
from django.db import IntegrityError, models, transaction
from django.db.models import Case, F, Q, Value, When
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce, Right

from django_tpq.main.durations import Duration
from tpq import State

__all__ = ["LOST", "DeadLetters", "Requeued", "ends", "error_tail"]

M = TypeVar("M", bound=models.Model)

BATCH = 1000
"""Dead letters that move in one statement."""
TRIES = 3
"""How often a unique key may be taken by another just while its dead letter is revived."""
TAIL = 500
"""Characters of an error's end that are read for a list."""
LOST = "lost"
"""The `error_type` of what is dead because its last delivery was lost: no error was seen."""


class Requeued(NamedTuple):
    """What became of dead letters that were to be requeued."""

    moved: int
    """Those that are dead no more."""
    stayed: int
    """Those that are: a living message holds their `unique_key`, or an older dead letter got it."""


def ends() -> dict[str, Any]:
    """How messages ended, as annotations: `error_type` and `died_at`, of the last run that failed."""
    last = KeyTransform(-1, "errors")
    died = Cast(KeyTextTransform("at", last), models.DateTimeField())
    is_lost = Q(state=State.DEAD.value, deliveries__gte=F("max_deliveries"))
    kind = Case(
        When(is_lost, then=Value(LOST)),
        default=KeyTextTransform("type", last),
        output_field=models.TextField(),
    )
    return {"error_type": kind, "died_at": Coalesce(died, "claimed_at", "enqueued_at")}


def error_tail() -> dict[str, Any]:
    """The end of `error`, as an annotation of the same name: its last line is there, and little has to be read."""
    return {"error_tail": Right("error", TAIL, output_field=models.TextField())}


class DeadLetters(models.QuerySet[M]):
    """The dead letters of a queue. Beside the model's fields there are:

    - `error_type`: the type of the last error, `module.QualifiedName`; `"lost"`; None where there was no exception;
    - `died_at`: when the last run ended.
    """

    def dead(self) -> Self:
        """Those that are dead, with what can be asked of them."""
        return self.filter(state=State.DEAD.value).annotate(**ends())

    def requeue(self, delay: Duration | None = None) -> Requeued:
        """Revive them all: their counts start anew, behind what is there.

        Args:
            delay: how long they wait before they can be taken; seconds or a timedelta.
        """
        moved = stayed = 0
        for ids in self._batches():
            revived = self._settled(functools.partial(self._verbs.requeue, ids, delay))
            moved += len(revived)
            if left := set(ids) - revived:
                stayed += self._of(left).count()
        return Requeued(moved, stayed)

    def discard(self) -> int:
        """Delete them all; how many."""
        return sum(len(self._verbs.discard(ids)) for ids in self._batches())

    async def arequeue(self, delay: Duration | None = None) -> Requeued:
        """As `requeue`."""
        return await sync_to_async(self.requeue)(delay)

    async def adiscard(self) -> int:
        """As `discard`."""
        return await sync_to_async(self.discard)()

    # ------------------------------------------------------------------------------------------------------

    @property
    def _verbs(self) -> Any:
        """The queue's manager, in the database that this query set writes to."""
        self._for_write = True
        return self.model._default_manager.using(self.db)

    def _of(self, ids: Any) -> Any:
        return self._verbs.filter(pk__in=ids, state=State.DEAD.value)

    def _batches(self) -> Iterator[Sequence[int]]:
        """The ids, the oldest first. Those of a slice are fixed before the first of them moves."""
        if self.query.is_sliced:
            ids = sorted(self._ids())
            yield from (ids[start : start + BATCH] for start in range(0, len(ids), BATCH))
            return
        last = 0
        while ids := list(self.order_by("pk").filter(pk__gt=last)._ids()[:BATCH]):
            yield ids
            last = ids[-1]

    def _ids(self) -> Any:
        return self.using(self._verbs.db).values_list("pk", flat=True)

    def _settled(self, move: Callable[[], set[int]]) -> set[int]:
        """Move a batch; again when another took a key between the look and the move: the next look sees that."""
        for _ in range(TRIES - 1):
            try:
                with transaction.atomic(using=self._verbs.db):
                    return move()
            except IntegrityError:
                continue
        with transaction.atomic(using=self._verbs.db):
            return move()
