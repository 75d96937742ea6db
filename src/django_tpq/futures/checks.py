"""System checks of the futures."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError
from django.utils.connection import ConnectionDoesNotExist

from django_tpq.conf import RAISE, settings
from django_tpq.futures import queues
from django_tpq.futures.codecs import RESTRICTED, usual
from django_tpq.futures.loading import load_tasks
from django_tpq.futures.options import LONGEST, TaskOptions
from django_tpq.futures.results import CacheResults, DatabaseResults, store
from django_tpq.futures.stranded import unknown

ROOM = 1000
"""Entries that a cache of results should have room for at least."""
SMALLEST_LIMIT = 1024
"""Bytes: what every call and every failure needs."""


@register(deploy=True)
def check_results(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """Results must arrive in other processes. An error here would block `migrate` and `test` where nobody minds."""
    try:
        store()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="tpq_futures.E001")]
    return []


@register(deploy=True)
def check_inline(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """Calls that run at once are for shells and tests."""
    if not settings.INLINE:
        return []
    hint = (
        "Remove the setting, or set it to False: executors run calls then. It is for a shell and for tests."
    )
    text = "TPQ_INLINE is on: whoever makes a call runs it, too, and waits for its end."
    return [Warning(text, hint=hint, id="tpq_futures.W005")]


@register()
def check_default_results(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """Say where results go that nobody has said anything about."""
    if settings.RESULT_CACHE is not None or settings.RESULT_STORE is not None:
        return []
    try:
        kept = store()
    except ImproperlyConfigured:
        return []
    if not isinstance(kept, DatabaseResults):
        return []
    return [
        Warning(
            "Results go to PostgreSQL, because other processes can not see the default cache.",
            hint="That works. To choose yourself, set TPQ_RESULT_CACHE to a shared cache, or TPQ_RESULT_STORE to "
            "'django_tpq.futures.results.DatabaseResults'.",
            id="tpq_futures.W001",
        )
    ]


@register()
def check_room(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """A cache that throws entries away when it has few loses results."""
    try:
        kept = store()
    except ImproperlyConfigured:
        return []
    if not isinstance(kept, CacheResults) or kept.room is None or kept.room >= ROOM:
        return []
    return [
        Warning(
            f"The cache {kept.alias!r} keeps {kept.room} entries: beyond that it deletes results nobody has read.",
            hint=f"Set MAX_ENTRIES in its OPTIONS, to {ROOM} or more: the results of TPQ_RESULT_TTL seconds.",
            id="tpq_futures.W002",
        )
    ]


@register(Tags.models)
def check_queues(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """TPQ_QUEUES and TPQ_CODEC name what is there, TPQ_RESULT_TTL is a time."""
    return [*_of_queues(), *_of_values()]


@register("queues", deploy=True)
def check_stranded(app_configs: "Sequence[AppConfig] | None" = None, **_: Any) -> list[CheckMessage]:
    """Calls that are queued already must be known to this release. Connects, and imports all tasks."""
    try:
        load_tasks()
    except Exception as error:  # noqa: BLE001 - importing a module runs its code
        told = f"The tasks can not be imported: {type(error).__name__}: {error}."
        return [Error(told, hint="No executor of this release would start.", id="tpq_futures.E010")]
    try:
        homes = {queues.manager(name).db_for_queue for name in settings.QUEUES}
    except (AttributeError, ImproperlyConfigured, TypeError):
        return []  # `check_queues` says it better
    return [message for alias in sorted(homes) for message in _of_unknown(alias)]


def _of_unknown(alias: str) -> Iterator[CheckMessage]:
    try:
        found = unknown(alias, queues.names_on(alias))
    except (ConnectionDoesNotExist, DatabaseError, AssertionError, RuntimeError):
        return  # no table yet, nobody answers: others say it better; or it is a test that may not ask
    if found:
        told = ", ".join(f"{task} ({count})" for task, count in found.items())
        yield Warning(
            f"Calls are queued in {alias!r} whose tasks are unknown here: {told}. They wait.",
            hint="Were they renamed? @task(aliases=[…]). `manage.py executor --check` looks at all of them.",
            id="tpq_futures.W010",
        )


def _of_queues() -> Iterator[CheckMessage]:
    given: Any = settings.QUEUES
    if not isinstance(given, dict):
        yield Error(f"TPQ_QUEUES must be a dict of names and models, not {given!r}", id="tpq_futures.E002")
        return
    for name in given:
        try:
            TaskOptions(queue=name)
            queues.manager(name)
        except (ImproperlyConfigured, ValueError) as error:
            yield Error(f"TPQ_QUEUES: {error}", id="tpq_futures.E002")


def _of_values() -> Iterator[CheckMessage]:
    try:
        usual()
    except (TypeError, ValueError) as error:
        hint = f"{RESTRICTED!r} is JSON, and refuses whatever else a task or a row asks for."
        yield Error(f"TPQ_CODEC: {error}", hint=hint, id="tpq_futures.E003")
    limit: Any = settings.MAX_PAYLOAD
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < SMALLEST_LIMIT:
        yield Error(
            f"TPQ_MAX_PAYLOAD must be bytes, from {SMALLEST_LIMIT}, not {limit!r}", id="tpq_futures.E005"
        )
    inline: Any = settings.INLINE
    if inline not in (True, False, RAISE):
        yield Error(f"TPQ_INLINE must be True, False or {RAISE!r}, not {inline!r}", id="tpq_futures.E008")
    ttl: Any = settings.RESULT_TTL
    if isinstance(ttl, bool) or not isinstance(ttl, (int, float)) or not 0 <= ttl <= LONGEST:
        yield Error(
            f"TPQ_RESULT_TTL must be seconds, from 0 to {LONGEST}, not {ttl!r}", id="tpq_futures.E004"
        )
