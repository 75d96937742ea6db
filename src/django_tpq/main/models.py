"""A queue as a model: derive from `BaseQueue`, run `manage.py queuemigrations`."""

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models.functions import Now

from django_tpq.main.leases import Leased
from django_tpq.main.managers import QueueManager
from tpq import State

__all__ = ["BaseQueue", "Consumer"]

STATES = [(state.value, state.value) for state in State]


class BaseQueue(Leased):
    """A queue: one table, one row a message. Columns of one's own may be added.

    `queuemigrations` makes its migrations: they also install the checks, indexes and the bell.
    """

    id = models.BigAutoField(primary_key=True)
    seq = models.BigIntegerField(db_default=0, editable=False)
    """The place in the line among equal priorities; drawn anew whenever a message falls in behind the others."""
    state = models.CharField(max_length=8, choices=STATES, db_default=State.READY.value)
    """ready, waiting (until due_at), claimed or dead."""
    priority = models.SmallIntegerField(db_default=0)
    """Higher ones come first."""
    due_at = models.DateTimeField(null=True, blank=True)
    """When the row next needs attention: a waiting one is ready, a lease ends, a dead letter may go."""
    claim_no = models.IntegerField(db_default=0, editable=False)
    """Grows with each claim and never falls: with the id it is the receipt."""
    attempt = models.IntegerField(db_default=0)
    """Runs that ended by themselves and were not the last."""
    max_attempts = models.IntegerField(db_default=1)
    """Runs that may end in a failure before it is given up."""
    deliveries = models.SmallIntegerField(db_default=0)
    """Claims in a row that were lost while the run had begun, or may have."""
    max_deliveries = models.SmallIntegerField(db_default=3)
    """Lost deliveries after which it is given up."""
    lane = models.SmallIntegerField(db_default=0, editable=False)
    """Where it runs: what is claimed together. Messages have but one; calls of tasks: see `executor` of a task."""
    claimed_by = models.BigIntegerField(null=True, blank=True, editable=False)
    """The consumer that has it; 0: somebody with a lease."""
    unique_key = models.CharField(max_length=255, null=True, blank=True)  # noqa: DJ001 - NULL: no key
    """No two living messages have the same."""
    headers = models.JSONField(null=True, blank=True)
    """Notes for the way, as a trace."""
    body = models.JSONField(null=True, blank=True)
    """What was enqueued."""
    error = models.TextField(null=True, blank=True)  # noqa: DJ001 - NULL: none
    """Why it came back, or why it is dead."""
    errors = models.JSONField(null=True, blank=True, editable=False)
    """Of each run that failed, the first one first: `{"claimed_at", "at", "consumer", "type", "error"}`. `type` is the
    error's, where there was one. The last 50 are kept."""
    claimed_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When it was claimed last."""
    enqueued_at = models.DateTimeField(db_default=Now(), editable=False)
    """When it was put in."""

    objects: ClassVar[QueueManager[Self]] = QueueManager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Consumer(models.Model):
    """One process that claims messages. Its heart beats here; its claims live as long as it does."""

    id = models.BigAutoField(primary_key=True)
    beat_at = models.DateTimeField(db_default=Now())
    """The last sign of life."""
    lost_at = models.DateTimeField(null=True)
    """When others took it for dead and its claims back."""
    started_at = models.DateTimeField(db_default=Now())
    host = models.CharField(max_length=255)
    pid = models.IntegerField()
    version = models.CharField(max_length=64)
    """Of django-tpq."""
    queues: Any = models.JSONField()
    """The names of the queues it serves."""
    running: Any = models.JSONField(db_default=models.Value({}, output_field=models.JSONField()))
    """What runs in it now: {task: number}."""
    state = models.CharField(max_length=200, db_default="")
    """What hinders it, in words; empty when nothing does."""

    class Meta:
        db_table = "tpq_consumer"

    def __str__(self) -> str:
        return f"consumer {self.pk} on {self.host}"
