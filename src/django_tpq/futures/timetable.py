"""Schedules as rows: those of people, who edit them by the ORM or in the admin, and those that stand in code."""

from datetime import timedelta
from typing import Any

from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured, ValidationError
from django.db import models
from django.utils.module_loading import autodiscover_modules

from django_tpq.futures.appointments import bound, rule_of
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.queues import manager
from django_tpq.futures.registry import find
from django_tpq.futures.schedules import LONGEST, MISFIRE, OVERLAP, SHORTEST

__all__ = ["CODE", "PEOPLE", "Schedule"]

CODE, PEOPLE = "code", "people"
STATE = frozenset({"next_at", "last_at", "last_call", "skipped_at", "error"})
"""The columns that executors write."""


def project_time_zone() -> str:
    """The project's TIME_ZONE."""
    return str(project.TIME_ZONE)


class Schedule(models.Model):
    """A schedule of a task. A change of its row takes effect within seconds."""

    id = models.BigAutoField(primary_key=True)
    name = models.CharField(max_length=255)
    """What people call it; of one in code, its task's name."""
    source = models.CharField(
        max_length=6, choices=[(CODE, CODE), (PEOPLE, PEOPLE)], default=PEOPLE, editable=False
    )
    """Whether `@task(schedule=…)` says what it is, or its row. Of one in code only `enabled` is for people to say."""
    task = models.CharField(max_length=255, help_text="The task's name, such as myapp.tasks.report.")
    """The task's name."""
    cron = models.CharField(
        max_length=255,
        blank=True,
        default="",
        help_text="Minute, hour, day of the month, month, day of the week: 30 2 * * MON-FRI.",
    )
    """A cron expression; or empty, and `every` says when."""
    every: Any = models.DurationField(null=True, blank=True, help_text="Instead of cron: 00:05:00.")
    """The time between two slots."""
    start_at: Any = models.DateTimeField(null=True, blank=True, help_text="With every: the first slot.")
    """A moment that is a slot of `every`, and the first; NULL: multiples of it since 1970."""
    timezone = models.CharField(
        max_length=64, default=project_time_zone, help_text="Of cron: Europe/Berlin, for example."
    )
    """The time zone that `cron` is read in."""
    args: Any = models.JSONField(default=list, blank=True)
    """The positional arguments of the calls, a list."""
    kwargs: Any = models.JSONField(default=dict, blank=True)
    """Their keyword arguments."""
    misfire = models.CharField(max_length=6, choices=[(m, m) for m in MISFIRE], default="latest")
    """As `Cron` and `Every` say; and so the next three."""
    grace: Any = models.DurationField(default=timedelta(seconds=60))
    overlap = models.CharField(max_length=5, choices=[(o, o) for o in OVERLAP], default="skip")
    jitter: Any = models.DurationField(default=timedelta(0))
    queue = models.CharField(max_length=24, blank=True, default="", help_text="Empty: as the task says.")
    """The queue of the calls; empty: as the task says."""
    priority: Any = models.SmallIntegerField(null=True, blank=True, help_text="Empty: as the task says.")
    """The priority of the calls; NULL: as the task says."""
    enabled = models.BooleanField(default=True)
    """Whether it is followed. What falls due meanwhile is no slot of it."""

    next_at: Any = models.DateTimeField(null=True, editable=False)
    """The next slot; NULL: it was not planned yet."""
    last_at: Any = models.DateTimeField(null=True, editable=False)
    """The last slot that got its call."""
    last_call = models.CharField(max_length=64, default="", editable=False)
    """The id of that call: `Future.get` takes it."""
    skipped_at: Any = models.DateTimeField(null=True, editable=False)
    """The last slot that got none: missed, or the call before had not ended."""
    error = models.TextField(default="", editable=False)
    """Why it is not followed; empty: it is."""

    class Meta:
        db_table = "tpq_schedule"
        ordering = ("name", "source")
        constraints = (
            models.UniqueConstraint(fields=("source", "name"), name="tpq_schedule_name"),
            models.CheckConstraint(
                condition=models.Q(cron="", every__isnull=False, every__gte=SHORTEST)
                | (~models.Q(cron="") & models.Q(every=None)),
                name="tpq_schedule_rule",
                violation_error_message="Give a cron expression, or every so often (from a second on): one of them.",
            ),
            models.CheckConstraint(
                condition=models.Q(
                    grace__range=(timedelta(0), LONGEST), jitter__range=(timedelta(0), LONGEST)
                ),
                name="tpq_schedule_durations",
                violation_error_message="Grace and jitter are from nothing to a hundred years.",
            ),
            models.CheckConstraint(
                condition=models.Q(misfire__in=MISFIRE, overlap__in=OVERLAP, source__in=(CODE, PEOPLE)),
                name="tpq_schedule_choices",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Write what people say; what executors have written meanwhile stays as it is."""
        if not self._state.adding and kwargs.get("update_fields") is None and not args:
            fields = [f.name for f in self._meta.concrete_fields if not f.primary_key and f.name not in STATE]
            kwargs["update_fields"] = fields
        super().save(*args, **kwargs)

    def clean(self) -> None:
        """Whether executors can follow it.

        Raises:
            ValidationError: they can not; the text says why, of each field.
        """
        if self.source == CODE:
            return  # what it says was checked where it stands
        self.args = [] if self.args is None else self.args  # as an empty field of a form
        self.kwargs = {} if self.kwargs is None else self.kwargs
        errors = {**_of_rule(self), **_of_task(self), **_of_queue(self), **_of_name(self)}
        if errors:
            raise ValidationError(errors)


def _of_rule(row: Schedule) -> dict[str, str]:
    if bool(row.cron) == (row.every is not None):
        return {}  # the constraint says it
    try:
        rule_of(row)
    except ModuleNotFoundError as error:
        return {"cron": str(error)}
    except (TypeError, ValueError) as error:
        field = "every" if row.every is not None else "timezone" if "time zone" in str(error) else "cron"
        return {field: str(error)}
    return {}


def _of_task(row: Schedule) -> dict[str, str]:
    if not row.task:
        return {}  # the field says it, or the form's choice
    autodiscover_modules("tasks")  # as an executor does: the web's processes may know few of them
    try:
        task = find(row.task)
        bound(task, row.args, row.kwargs)
    except UnknownTask:
        return {
            "task": f"There is no task {row.task!r}: its name is module.function, if it was given no other."
        }
    except TypeError as error:
        return {"kwargs": str(error)}
    return {}


def _of_name(row: Schedule) -> dict[str, str]:
    """A form leaves the constraint out, for it does not show the source."""
    others = Schedule._default_manager.using(row._state.db).exclude(pk=row.pk)
    is_taken = others.filter(name=row.name, source=row.source).exists()
    return {"name": f"There is a schedule {row.name!r} already."} if is_taken else {}


def _of_queue(row: Schedule) -> dict[str, str]:
    try:
        if row.queue:
            manager(row.queue)
    except ImproperlyConfigured as error:
        return {"queue": str(error)}
    return {}
