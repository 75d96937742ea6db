"""System checks of the futures."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured

from django_tpq.conf import settings
from django_tpq.futures import queues
from django_tpq.futures.codecs import codec
from django_tpq.futures.results import DatabaseResults, store


@register(deploy=True)
def check_results(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """Results must arrive in other processes."""
    try:
        kept = store()
    except ImproperlyConfigured as error:
        return [Error(str(error), id="tpq_futures.E001")]
    unset = settings.RESULT_CACHE is None and settings.RESULT_STORE is None
    if unset and isinstance(kept, DatabaseResults):
        return [
            Warning(
                "Results go to PostgreSQL, because other processes can not see the default cache.",
                hint="That works. To choose yourself, set TPQ_RESULT_CACHE to a shared cache, or TPQ_RESULT_STORE to "
                "'django_tpq.futures.results.DatabaseResults'.",
                id="tpq_futures.W001",
            )
        ]
    return []


@register(Tags.models)
def check_queues(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """TPQ_QUEUES and TPQ_CODEC name what is there."""
    messages: list[CheckMessage] = []
    for name in settings.QUEUES:
        try:
            queues.manager(name)
        except ImproperlyConfigured as error:
            messages.append(Error(str(error), id="tpq_futures.E002"))
    try:
        codec(settings.CODEC)
    except ValueError as error:
        messages.append(Error(f"TPQ_CODEC: {error}", id="tpq_futures.E003"))
    return messages
