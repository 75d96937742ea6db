"""The app of the queues. A project that wants no futures installs only this one."""

from django.apps import AppConfig

from django_tpq.conf import settings


class QueuesConfig(AppConfig):
    """Queues as models."""

    name = "django_tpq.main"
    label = "tpq"
    verbose_name = "Message queues"

    def ready(self) -> None:
        """Register the checks; see to queues in plain `makemigrations` if TPQ_MAKEMIGRATIONS says so."""
        from django_tpq.main import checks  # noqa: F401, PLC0415 - checks need the models

        if settings.MAKEMIGRATIONS:
            from django.core.management.commands import makemigrations, migrate  # noqa: PLC0415

            from django_tpq.main.autodetector import see_to_queues  # noqa: PLC0415

            see_to_queues(makemigrations.Command, migrate.Command)
