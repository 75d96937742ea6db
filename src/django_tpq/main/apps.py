"""The app of the queues. A project that wants no futures installs only this one."""

from typing import Any

from django.apps import AppConfig, apps
from django.db.models.signals import post_save

from django_tpq.conf import settings


class QueuesConfig(AppConfig):
    """Queues as models."""

    name = "django_tpq.main"
    label = "tpq"
    verbose_name = "Message queues"

    def ready(self) -> None:
        """Register the checks; see to queues in plain `makemigrations` if TPQ_MAKEMIGRATIONS says so."""
        from django_tpq.main import checks, deployment  # noqa: F401, PLC0415 - checks need the models
        from django_tpq.main.autodetector import is_queue, see_to_queues  # noqa: PLC0415

        for model in apps.get_models():
            if is_queue(model):
                post_save.connect(_fall_in_behind, sender=model)

        if settings.MAKEMIGRATIONS:
            from django.core.management.commands import makemigrations, migrate  # noqa: PLC0415

            see_to_queues(makemigrations.Command, migrate.Command)


def _fall_in_behind(sender: Any, instance: Any, raw: bool, using: str, **_: Any) -> None:
    """After `loaddata`, which sets each message's place in the line: what comes later stands behind them."""
    if raw:
        sender.objects.using(using).table().advance(instance.seq)
