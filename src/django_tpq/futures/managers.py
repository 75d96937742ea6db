"""`objects` of a call queue: what is more to do for a call than for a message."""

from collections.abc import Sequence
from typing import TypeVar

from django.db import connections, models, transaction

from django_tpq.futures.results import store
from django_tpq.main.durations import Duration
from django_tpq.main.managers import QueueManager

__all__ = ["CallQueueManager"]

M = TypeVar("M", bound=models.Model)


class CallQueueManager(QueueManager[M]):
    """The verbs of a call queue."""

    def requeue(self, ids: Sequence[int], delay: Duration | None = None) -> set[int]:
        """Revive dead calls, at once or after a delay (seconds or a timedelta); the ids of those that moved.

        What they ended with before is forgotten: their futures wait for what they end with now.
        """
        alias = self.db_for_queue
        # Before the commit: then nobody can have run them, and no new result is deleted for the old one.
        with transaction.atomic(using=alias):
            moved = super().requeue(ids, delay)
            if moved:
                tokens = self.using(alias).filter(pk__in=moved).values_list("token", flat=True)
                store().forget(list(tokens), connections[alias].cursor)
        return moved
