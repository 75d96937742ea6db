"""django-tasks-db: the database backend of Django's tasks."""

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.declared.django_project.peer import DjangoPeer

__all__ = ["DjangoTasksDb"]


class DjangoTasksDb(DjangoPeer):
    """https://github.com/RealOrangeOne/django-tasks-db"""

    requires = ("django-tasks-db==0.13.0", "Django==6.1.3", "psycopg[binary]==3.3.9")
    configs = {
        "default": "manage.py db_worker as the README starts it: one task at a time, a look each second when idle",
        "best": "db_worker that looks each 10 ms when idle, logs nothing, and keeps its connection (CONN_MAX_AGE=None)",
    }
    backlog = {"default": 2_000, "best": 5_000}
    app = "django_tasks_db"
    backend = "django_tasks_db.DatabaseBackend"
    command = "db_worker"
    tables = "django_tasks_database_dbtaskresult"
    unfinished = "SELECT FROM django_tasks_database_dbtaskresult WHERE status IN ('READY', 'RUNNING')"

    def options(self) -> dict[str, Any]:
        return {}

    def arguments(self) -> list[str]:
        return ["--interval=0.01", "--no-startup-delay", "--verbosity=0"] if self.config == "best" else []

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        from django.db import transaction

        with transaction.atomic():
            for number in numbers:
                self.enqueue(number)
