"""A queue in Django's admin: looked at, not edited; its dead letters requeued and discarded.

`admin.site.register(Orders, QueueAdmin)`
"""

import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_permission_codename
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join

from django_tpq.main.deadletters import DeadLetters, ends, error_tail
from django_tpq.main.rows import own_fields
from tpq import State

__all__ = ["CountedSoFar", "DiedFilter", "ErrorFilter", "QueueAdmin"]

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Any]
    AnyPaginator = Paginator[Any]
else:
    ModelAdmin, AnyPaginator = admin.ModelAdmin, Paginator

logger = logging.getLogger("django_tpq.admin")

MOST = 10_000
"""Rows up to which a list is counted: all the rows of a table that is full are dear to count."""
SAMPLE = 1000
"""Dead letters, the newest, whose types of errors can be chosen from."""
LARGE = ("headers", "body", "error", "errors")
"""Columns that a list does not read."""
LONGEST = 20_000
"""Characters of a body that are shown."""


class CountedSoFar(AnyPaginator):
    """Pages of the first MOST rows; a filter leads to the others."""

    @cached_property
    def count(self) -> int:
        """How many there are, or MOST."""
        rows: Any = self.object_list
        return int(rows.order_by()[:MOST].count())


class ErrorFilter(admin.SimpleListFilter):
    """By the type of the last error; offered where the dead are looked at."""

    title, parameter_name = "type of the last error", "type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """The types of the newest dead letters, and the one that is chosen."""
        found = {self.value()}
        if request.GET.get("state__exact") == State.DEAD.value:
            newest = model_admin.model._default_manager.dead().order_by("-pk")
            found |= set(newest.values_list("error_type", flat=True)[:SAMPLE])
        return [(kind, kind.removeprefix("builtins.")) for kind in sorted(filter(None, found))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those of the chosen type."""
        return queryset.filter(error_type=self.value()) if self.value() else queryset


class DiedFilter(admin.SimpleListFilter):
    """By when a dead letter died."""

    title, parameter_name = "time of death", "died"
    PAST: ClassVar = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        """Since when."""
        return [(name, f"The past {name}") for name in self.PAST]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        """Those that died since."""
        past = self.PAST.get(self.value() or "")
        if past is None:
            return queryset
        return queryset.filter(state=State.DEAD.value, died_at__gte=timezone.now() - past)


class QueueAdmin(ModelAdmin):
    """The messages of a queue. Who may change it may requeue dead letters, who may delete from it discard them."""

    list_display: Any = ("id", "state", "priority", "enqueued_at", "died", "last_error")
    list_filter: ClassVar[Any] = ("state", ErrorFilter, DiedFilter)
    search_fields: ClassVar[Any] = ("id", "unique_key")
    search_help_text = "The number of a message, or its unique key"
    actions: Any = ("requeue", "discard")
    ordering: ClassVar[Any] = ("-id",)
    sortable_by: ClassVar[Any] = ()
    list_per_page = 50
    paginator = CountedSoFar
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    change_form_template = "django_tpq/queue_change_form.html"
    figures: ClassVar[Any] = (
        ("id", "state", "priority"),
        ("enqueued_at", "claimed_at", "due_at"),
        ("attempt", "max_attempts", "deliveries", "max_deliveries"),
        "unique_key",
    )
    contents: tuple[str, ...] = ("shown_body",)
    """The methods that show what is in a message."""

    # What may be done -------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Messages are enqueued by code."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """What is saved from a form would overwrite what executors do meanwhile."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Dead letters are discarded; the living are not touched."""
        return False

    def has_requeue_permission(self, request: HttpRequest) -> bool:
        """Who has the permission to change messages."""
        return self._may("change", request)

    def has_discard_permission(self, request: HttpRequest) -> bool:
        """Who has the permission to delete them."""
        return self._may("delete", request)

    def _may(self, verb: str, request: HttpRequest) -> bool:
        return request.user.has_perm(f"{self.opts.app_label}.{get_permission_codename(verb, self.opts)}")

    @admin.action(permissions=["requeue"], description="Requeue dead letters")
    def requeue(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Let them be taken again; before all of a list are, ask."""
        is_all = request.POST.get("select_across") == "1"
        return self._move(request, queryset, DeadLetters.requeue, "requeue", must_ask=is_all)

    @admin.action(permissions=["discard"], description="Discard dead letters")
    def discard(self, request: HttpRequest, queryset: Any) -> HttpResponse | None:
        """Delete them, after a question."""
        return self._move(request, queryset, lambda rows: (rows.discard(), 0), "discard", must_ask=True)

    def _move(
        self,
        request: HttpRequest,
        queryset: Any,
        move: Callable[[Any], tuple[int, int]],
        verb: str,
        *,
        must_ask: bool,
    ) -> HttpResponse | None:
        letters = self.model._default_manager.dead().filter(pk__in=queryset.order_by().values("pk"))
        if must_ask and "confirmed" not in request.POST:
            return self._asked(request, verb, letters.count())
        is_all = request.POST.get("select_across") == "1"
        selected = None if is_all else queryset.count()
        moved, stayed = move(letters)
        logger.info("%s: %s dead letters of %s: %s", request.user, verb, self.opts.label, moved)
        self._tell(request, verb, moved, stayed, 0 if selected is None else selected - moved - stayed)
        return None

    def _asked(self, request: HttpRequest, verb: str, number: int) -> HttpResponse:
        names = ("action", "index", "select_across", ACTION_CHECKBOX_NAME)
        context = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": "Are you sure?",
            "verb": verb,
            "question": f"{verb.capitalize()} {number} dead letter{'' if number == 1 else 's'}?",
            "given": [(name, value) for name in names for value in request.POST.getlist(name)],
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "django_tpq/confirm.html", context)

    def _tell(self, request: HttpRequest, verb: str, moved: int, stayed: int, others: int) -> None:
        told = [f"{moved} dead letter{'' if moved == 1 else 's'} {verb.removesuffix('e')}ed."]
        if stayed:
            told.append(f"{stayed} stayed: another message has the unique key.")
        if others > 0:
            told.append(f"{others} of those selected {'is' if others == 1 else 'are'} not dead.")
        level = messages.SUCCESS if moved and len(told) == 1 else messages.WARNING
        self.message_user(request, " ".join(told), level)

    # What is shown ----------------------------------------------------------------------------------------

    def get_queryset(self, request: HttpRequest) -> Any:
        """Without what is large, and with how they ended."""
        seen = super().get_queryset(request).annotate(**ends(), **error_tail())
        return seen.defer(*self._large())

    def _large(self) -> tuple[str, ...]:
        return LARGE

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> tuple[Any, bool]:
        """By what an index can find."""
        term = search_term.strip()
        return (queryset.filter(self._found_by(term)) if term else queryset), False

    def _found_by(self, term: str) -> Q:
        named = Q(unique_key=term)
        return named | Q(pk=int(term)) if term.isdecimal() and len(term) < 19 else named

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The figures, the queue's own columns, what is in it, and the runs that failed."""
        own = tuple(field.name for field in self._own())
        return [
            (None, {"fields": (*self.figures, *own)}),
            ("Contents", {"fields": (*self.contents, "headers")}),
            ("Runs that failed", {"fields": ("runs",)}),
        ]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """All of them."""
        return list(_flat(options["fields"] for _, options in self.get_fieldsets(request, obj)))

    def _own(self) -> list[Any]:
        return own_fields(self.model)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """With buttons for a dead letter."""
        obj = context.get("original")
        if obj is not None and obj.state == State.DEAD.value:
            may = {"requeue": self.has_requeue_permission, "discard": self.has_discard_permission}
            context["moves"] = [(verb, verb.capitalize()) for verb, check in may.items() if check(request)]
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="last error")
    def last_error(self, message: Any) -> str:
        """The last line of why it came back, or why it is dead."""
        lines = (message.error_tail or "").strip().splitlines()
        return lines[-1][:120] if lines else ""

    @admin.display(description="died")
    def died(self, message: Any) -> Any:
        """When, if it is dead."""
        return message.died_at if message.state == State.DEAD.value else None

    @admin.display(description="body")
    def shown_body(self, message: Any) -> str:
        """What was enqueued."""
        return format_html("<pre>{}</pre>", json.dumps(message.body, indent=2, ensure_ascii=False)[:LONGEST])

    @admin.display(description="runs")
    def runs(self, message: Any) -> str:
        """Each run that failed, the first one first: when, who, and the error. The last 50 are kept."""
        errors = message.errors if isinstance(message.errors, list) else []
        told = [_run(number, each) for number, each in enumerate(errors, 1) if isinstance(each, dict)]
        if not told and message.error:
            told = [("", message.error)]
        return format_html_join("", "<p><strong>{}</strong></p><pre>{}</pre>", told)


def _run(number: int, entry: dict[str, Any]) -> tuple[str, str]:
    when = f"{_moment(entry.get('claimed_at'))} to {_moment(entry.get('at'))}"
    by = f"consumer {entry['consumer']}" if entry.get("consumer") else "on a lease"
    kind = f": {entry['type']}" if entry.get("type") else ""
    return f"{number}. {when}, {by}{kind}", str(entry.get("error") or "")


def _moment(text: Any) -> str:
    return str(text)[:19].replace("T", " ") if text else "-"


def _flat(rows: Any) -> Iterator[str]:
    for row in rows:
        if isinstance(row, str):
            yield row
        else:
            yield from _flat(row)
