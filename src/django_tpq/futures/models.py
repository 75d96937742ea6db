"""The tables of the futures: a queue of calls, results, and the statistics of tasks."""

from typing import Any, ClassVar, Self

from django.db import models

from django_tpq.futures.managers import CallQueueManager
from django_tpq.futures.timetable import Schedule
from django_tpq.main.models import BaseQueue

__all__ = ["BaseCallQueue", "CallQueue", "Finished", "Key", "Progress", "Result", "Schedule", "Tally", "Task"]


class BaseCallQueue(BaseQueue):
    """A queue of calls. Derive from it for one of your own, and name it in TPQ_QUEUES."""

    task = models.CharField(max_length=255)
    """The task's name."""
    token = models.CharField(max_length=22)
    """132 random bits: what the signature and the result are bound to."""
    payload = models.BinaryField()
    """The arguments, signed."""

    objects: ClassVar[CallQueueManager[Self]] = CallQueueManager()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"call {self.pk} of {self.task}"


class CallQueue(BaseCallQueue):
    """The queue that calls go to unless they say another."""

    class Meta:
        db_table = "tpq_call"
        verbose_name = "call"


class Result(models.Model):
    """The signed result of a call, where results go to PostgreSQL."""

    token = models.CharField(max_length=22, primary_key=True)
    record = models.BinaryField()
    expires_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "tpq_result"

    def __str__(self) -> str:
        return self.token


class Finished(models.Model):
    """A call that has ended well and is kept for TPQ_FINISHED_TTL: those of the django.tasks backend."""

    token = models.CharField(max_length=22, primary_key=True)
    number = models.BigIntegerField()
    """Its id in the queue."""
    queue = models.CharField(max_length=24)
    task = models.CharField(max_length=255)
    priority = models.SmallIntegerField()
    headers = models.JSONField(null=True)
    payload = models.BinaryField()
    record = models.BinaryField()
    """Its result, signed."""
    errors = models.JSONField(null=True)
    """Of the attempts that failed before it ended well."""
    consumer = models.BigIntegerField()
    enqueued_at = models.DateTimeField()
    claimed_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField()

    class Meta:
        managed = False
        db_table = "tpq_finished"
        verbose_name = "finished call"

    def __str__(self) -> str:
        return f"finished call {self.number} of {self.task}"


class Key(models.Model):
    """A unique key that is held for a period (`unique_for`), by the call that was made last with it."""

    key = models.CharField(max_length=255, primary_key=True)
    queue = models.CharField(max_length=24)
    number = models.BigIntegerField()
    token = models.CharField(max_length=22)
    until = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "tpq_key"

    def __str__(self) -> str:
        return self.key


class Progress(models.Model):
    """How far a call has come, as it said itself."""

    token = models.CharField(max_length=22, primary_key=True)
    done = models.FloatField()
    total = models.FloatField(null=True)
    text = models.TextField()
    at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "tpq_progress"
        verbose_name_plural = "progress"

    def __str__(self) -> str:
        return self.token


class Tally(models.Model):
    """What executors have counted of a task."""

    name = models.CharField(max_length=255, primary_key=True)
    total: Any = models.BigIntegerField(default=0)
    failures: Any = models.BigIntegerField(default=0)
    first_seen = models.DateTimeField()
    last_seen = models.DateTimeField()

    class Meta:
        db_table = "tpq_tally"
        verbose_name_plural = "tallies"

    def __str__(self) -> str:
        return self.name


class Task(models.Model):
    """The statistics of a task, read with the ORM. A view: what was counted, and what runs now."""

    name = models.CharField(max_length=255, primary_key=True)
    """The task's name: `module.function`, unless it was given another."""
    running = models.BigIntegerField()
    """Calls that run now, in executors that are alive."""
    total = models.BigIntegerField()
    """Calls that have ended."""
    failures = models.BigIntegerField()
    """Those of them that ended in an exception, or with their executor lost."""
    last_seen = models.DateTimeField(null=True)
    """When the last one that ended had started."""
    first_seen = models.DateTimeField(null=True)
    """When the first one had started."""

    class Meta:
        managed = False
        db_table = "tpq_task"

    def __str__(self) -> str:
        return self.name
