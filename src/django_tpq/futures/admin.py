"""Calls and tasks in Django's admin. A queue of your own: `admin.site.register(MailQueue, CallQueueAdmin)`."""

import contextlib
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import urlencode

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join

from django_tpq.conf import settings
from django_tpq.futures import queues, registry
from django_tpq.futures.arguments import seen
from django_tpq.futures.calls import CallId
from django_tpq.futures.loading import load_tasks
from django_tpq.futures.models import CallQueue, Tally, Task
from django_tpq.futures.schedule_admin import ScheduleAdmin
from django_tpq.main.admin import DiedFilter, ErrorFilter, QueueAdmin
from tpq import State

__all__ = ["CallQueueAdmin", "ScheduleAdmin", "TaskAdmin", "TaskFilter"]

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
else:
    ModelAdmin = admin.ModelAdmin

OURS = {"task", "token", "payload"}
"""Columns that are shown in another way, or not at all: who knows a token may ask for its result."""


class TaskFilter(admin.SimpleListFilter):
    """By task: those that have been counted, and those that are known here. The queue is not searched for names."""

    title, parameter_name = "task", "task"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The names."""
        names = {*Tally.objects.values_list("name", flat=True), *registry.names()}
        return [(name, name) for name in sorted({*names, self.value() or ""}) if name]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """The calls of the chosen one."""
        return queryset.filter(task=self.value()) if self.value() else queryset


class CallQueueAdmin(QueueAdmin):
    """The calls of a queue. Arguments are shown in a call's own page alone, and never those that are secret."""

    list_display: Any = ("id", "task", "state", "enqueued_at", "died", "last_error")
    list_filter: ClassVar[Any] = ("state", TaskFilter, ErrorFilter, DiedFilter)
    search_fields: ClassVar[Any] = ("id", "unique_key", "task")
    search_help_text = "The id of a future, the number of a call, its unique key, or the name of its task"
    figures: ClassVar[Any] = (("call", "task"), *QueueAdmin.figures)
    contents = ("arguments",)

    def _large(self) -> tuple[str, ...]:
        return (*super()._large(), "payload")

    def _own(self) -> list[Any]:
        return [field for field in super()._own() if field.name not in OURS]

    def _found_by(self, term: str) -> Q:
        with contextlib.suppress(ValueError):
            call = CallId.parse(term)
            return Q(pk=call.number, token=call.token)
        return super()._found_by(term) | Q(task=term)

    @property
    def _queue(self) -> str | None:
        """The queue's name in TPQ_QUEUES."""
        ours = self.model._meta.label_lower
        return next(
            (name for name in settings.QUEUES if queues.manager(name).model._meta.label_lower == ours), None
        )

    @admin.display(description="id of the future")
    def call(self, call: Any) -> str:
        """What `Future.get` takes."""
        return str(CallId(self._queue or "-", call.pk, call.token))

    @admin.display(description="arguments")
    def arguments(self, call: Any) -> str:
        """What the task was called with."""
        if self._queue is None:
            return "(not read: TPQ_QUEUES does not name this queue)"
        with contextlib.suppress(Exception):  # a module may be broken here; then its tasks are unknown
            load_tasks()  # to know which arguments are secret
        return seen(self._queue, call)


class TaskAdmin(ModelAdmin):
    """The statistics of tasks."""

    list_display: Any = ("name", "running", "total", "failures", "last_seen", "dead_letters")
    search_fields: ClassVar[Any] = ("name",)
    ordering: ClassVar[Any] = ("name",)
    readonly_fields: ClassVar[Any] = ("dead_letters",)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Executors count."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is a view."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """It is a view."""
        return False

    @admin.display(description="dead letters")
    def dead_letters(self, task: Task) -> str:
        """Where to find them, in each call queue of this admin."""
        query = urlencode({"state__exact": State.DEAD.value, "task": task.name})
        models = {name: queues.manager(name).model for name in sorted(settings.QUEUES)}
        links = [
            (
                f"{reverse(f'{self.admin_site.name}:{m._meta.app_label}_{m._meta.model_name}_changelist')}?{query}",
                name,
            )
            for name, m in models.items()
            if self.admin_site.is_registered(m)
        ]
        return format_html_join(", ", '<a href="{}">{}</a>', links)


admin.site.register(CallQueue, CallQueueAdmin)
admin.site.register(Task, TaskAdmin)
