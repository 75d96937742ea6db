"""Sends everything of ours to one alias, for projects whose queues have a PostgreSQL of their own."""

from typing import Any

from django.apps import apps
from django.db import models

from django_tpq.conf import settings
from django_tpq.main.models import BaseQueue

__all__ = ["QueueRouter"]

OURS = {"tpq", "tpq_futures"}


class QueueRouter:
    """Queues, calls, results and statistics live in the alias of TPQ_DATABASE, and nowhere else.

    A queue in another database than the caller's transaction is no part of that transaction.
    """

    def db_for_read(self, model: type[models.Model], **hints: Any) -> str | None:
        """The alias, for what is ours."""
        return settings.DATABASE if _is_ours(model) else None

    def db_for_write(self, model: type[models.Model], **hints: Any) -> str | None:
        """The alias, for what is ours."""
        return settings.DATABASE if _is_ours(model) else None

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        """What is ours to its alias only; the rest is others' business."""
        if app_label in OURS or (model_name and _names_queue(app_label, model_name)):
            return bool(db == settings.DATABASE)
        return None


def _is_ours(model: type[models.Model]) -> bool:
    return model._meta.app_label in OURS or issubclass(model, BaseQueue)


def _names_queue(app_label: str, model_name: str) -> bool:
    """By name: the models in a migration's state have forgotten their abstract bases."""
    try:
        return issubclass(apps.get_model(app_label, model_name), BaseQueue)
    except LookupError:
        return False
