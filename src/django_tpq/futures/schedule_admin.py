"""Schedules in the admin: people make and change theirs, and enable or disable all."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.module_loading import autodiscover_modules

from django_tpq.futures.registry import names
from django_tpq.futures.timetable import CODE, STATE, Schedule

__all__ = ["ScheduleAdmin"]

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Schedule]
else:
    ModelAdmin = admin.ModelAdmin

SHOWN = ("next_at", "last_at", "last_call", "skipped_at", "error")


@admin.register(Schedule)
class ScheduleAdmin(ModelAdmin):
    """Of those in code only `enabled` can be changed."""

    list_display = ("name", "task", "rule", "source", "enabled", "next_at", "last_at", "skipped_at", "error")
    list_filter = ("enabled", "source")
    search_fields = ("name", "task")
    fieldsets = (
        (None, {"fields": ("name", "task", "args", "kwargs", "enabled")}),
        ("When", {"fields": ("cron", "timezone", "every", "start_at", "jitter")}),
        ("When not all goes well", {"fields": ("misfire", "grace", "overlap")}),
        ("Its calls", {"fields": ("queue", "priority")}),
        ("So far", {"fields": SHOWN}),
    )
    actions = ("enable", "disable")

    @admin.display(description="when")
    def rule(self, schedule: Schedule) -> str:
        """When it is due."""
        if schedule.every is not None:
            return f"every {schedule.every}"
        return f"{schedule.cron} ({schedule.timezone})"

    @admin.action(description="Enable selected schedules", permissions=["change"])
    def enable(self, request: HttpRequest, queryset: "QuerySet[Schedule]") -> None:
        """Follow them, from now on."""
        self.message_user(request, f"{queryset.update(enabled=True)} enabled")

    @admin.action(description="Disable selected schedules", permissions=["change"])
    def disable(self, request: HttpRequest, queryset: "QuerySet[Schedule]") -> None:
        """Follow them no longer."""
        self.message_user(request, f"{queryset.update(enabled=False)} disabled")

    def get_readonly_fields(self, request: HttpRequest, obj: Schedule | None = None) -> Any:
        """What executors write, and of a schedule in code what the code says."""
        if obj is None or obj.source != CODE:
            return SHOWN
        return [f.name for f in obj._meta.fields if f.name not in STATE | {"enabled", "source", "id"}] + [
            *SHOWN
        ]

    def formfield_for_dbfield(
        self, db_field: "models.Field[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> forms.Field | None:
        """As usual; a task is one of those that there are, or the one that the row names, though it be gone."""
        if db_field.name != "task":
            return super().formfield_for_dbfield(db_field, request, **kwargs)
        autodiscover_modules("tasks")
        known = sorted({*names(), *self._named(request)})
        return forms.ChoiceField(choices=[("", "---------"), *((name, name) for name in known)])

    def _named(self, request: HttpRequest) -> Iterable[str]:
        """The task of the row whose page is asked for."""
        match = request.resolver_match
        number = match.kwargs.get("object_id") if match else None
        row = self.get_object(request, number) if number else None
        return [row.task] if row else []
