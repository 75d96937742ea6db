"""System checks of atomic tasks, as far as they are imported."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's own name
from django.core.exceptions import ImproperlyConfigured
from django.db import router

from django_tpq.futures import queues, registry
from django_tpq.main.models import BaseQueue

__all__ = ["check_atomic"]


@register()
def check_atomic(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """What an atomic task writes is where its queue is. Nothing is connected to."""
    atomic = {task.name: task for task in map(registry.find, registry.names()) if task.options.atomic}
    homes = _homes_of_models() if atomic else set()
    told = {name: _home(task.options.queue) for name, task in atomic.items()}
    return [
        Warning(
            f"The task {name} is atomic, but its queue is in the database {home!r}, and the project's models are "
            f"written to {', '.join(sorted(homes))}.",
            hint="Its transaction covers only its queue's database: what it writes elsewhere stays when it fails, and "
            "happens again. Give it a queue in the database of the models (TPQ_QUEUES, your router).",
            id="tpq_futures.W012",
        )
        for name, home in told.items()
        if home is not None and homes and home not in homes
    ]


def _home(queue: str) -> str | None:
    """The database of a queue; None: there is no such queue, which other checks say better."""
    try:
        return queues.manager(queue).db_for_queue
    except (AttributeError, ImproperlyConfigured, TypeError):
        return None


def _homes_of_models() -> set[str]:
    """Where the models that are no part of ours are written."""
    ours = {app.label for app in apps.get_app_configs() if app.name.startswith("django_tpq.")}
    models = (
        model for model in apps.get_models() if model._meta.managed and not issubclass(model, BaseQueue)
    )
    return {router.db_for_write(model) for model in models if model._meta.app_label not in ours}
