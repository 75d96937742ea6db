"""The app of the futures."""

from django.apps import AppConfig


class FuturesConfig(AppConfig):
    """Tasks, futures, executors."""

    name = "django_tpq.futures"
    label = "tpq_futures"
    verbose_name = "Tasks"

    def ready(self) -> None:
        """Register the checks, and what runs calls at once where TPQ_INLINE says so."""
        from django_tpq.futures import (  # noqa: F401, PLC0415 - they need the models
            atomic_checks,
            checks,
            inline,
            schedule_checks,
        )
