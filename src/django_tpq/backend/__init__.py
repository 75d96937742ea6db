"""A backend for Django's own tasks: `TASKS = {"default": {"BACKEND": "django_tpq.backend.PostgreSQLBackend"}}`.

On Django 6 it serves `django.tasks`; before that the backport, `django-tasks`.
"""

from django_tpq.backend.postgresql import PostgreSQLBackend
from django_tpq.backend.tasks import PostgreSQLTask, task

__all__ = ["PostgreSQLBackend", "PostgreSQLTask", "task"]
