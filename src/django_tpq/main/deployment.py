"""Checks of `check --deploy`: they connect, and say what stands between the project and its queues."""

from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from django.apps import AppConfig
from django.core.checks import CheckMessage, Info, Warning, register  # noqa: A004 - as Django's checks do
from django.db import connections, router

from django_tpq.conf import settings
from django_tpq.main.autodetector import queues
from django_tpq.main.hearing import Hearing, hearing

__all__ = ["check_hearing"]

DIRECT = "Let TPQ_LISTEN name a way to the server itself: an alias of DATABASES, or a DSN."
CURSORS = " Set DISABLE_SERVER_SIDE_CURSORS in the alias: .iterator() of a query fails behind such a pooler."


@register("queues", deploy=True)
def check_hearing(app_configs: "Sequence[AppConfig] | None" = None, **_: Any) -> list[CheckMessage]:
    """How the news of messages comes, for each database with queues."""
    aliases = {router.db_for_write(model) for model in queues(app_configs)}
    here = sorted(a for a in aliases if a in connections and connections[a].vendor == "postgresql")
    return [message for alias in here for message in _of(alias)]


def _of(alias: str) -> Iterator[CheckMessage]:
    try:
        found = hearing(alias)
    except psycopg.Error as error:
        told = (
            f"The database {alias!r} does not answer, so it is not known how its queues can be listened to: "
        )
        yield Warning(told + " ".join(str(error).split()), id="tpq.W005")
    else:
        yield from _of_what_was_found(alias, found)


def _of_what_was_found(alias: str, found: Hearing) -> Iterator[CheckMessage]:
    if found.trouble:
        told = (
            f"The queues of {alias!r} are polled: where TPQ_LISTEN leads to nobody answers ({found.trouble})."
        )
        yield Warning(told, hint=DIRECT, id="tpq.W006")
    elif found.is_pooled:
        yield _of_a_pooler(alias, found)


def _of_a_pooler(alias: str, found: Hearing) -> CheckMessage:
    told = f"The database {alias!r} is reached through a pooler"
    cursors = "" if connections[alias].settings_dict.get("DISABLE_SERVER_SIDE_CURSORS") else CURSORS
    if found.hears:
        return Info(f"{told}, and LISTEN hears.", hint=cursors.strip() or None, id="tpq.I001")
    if settings.LISTEN is None:
        hint = "New messages are seen within half a second. " + DIRECT + cursors
        return Info(f"{told}; its queues are polled, as TPQ_LISTEN says.", hint=hint, id="tpq.I001")
    told += " that hands sessions around: LISTEN hears nothing, so its queues are polled."
    return Warning(told, hint=f"{DIRECT} Or set it to None, if polling is meant.{cursors}", id="tpq.W007")
