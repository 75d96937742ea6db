"""django-tasks-db: the database backend of Django's tasks."""

import os
import time
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["DjangoTasksDb"]

POLL = 0.005
PATIENCE = 10.0


class DjangoTasksDb(Peer):
    """https://github.com/RealOrangeOne/django-tasks-db"""

    requires = ("django-tasks-db==0.13.0", "Django==6.1.3", "psycopg[binary]==3.3.9")
    python = (3, 12)
    configs = {
        "default": "manage.py db_worker as the README starts it: one task at a time, a look each second when idle",
        "best": "db_worker that looks each 10 ms when idle, logs nothing, and keeps its connection (CONN_MAX_AGE=None)",
    }
    backlog = {"default": 2_000, "best": 5_000}

    def _start(self) -> None:
        from benchmarks.peers.declared.django_tasks_db_q2 import start

        start("django_tasks_db_settings", self.config)

    def set_up(self) -> None:
        self._start()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)

    def open(self) -> None:
        self._start()
        from django_tasks_db.models import DBTaskResult

        from benchmarks.peers.declared import django_tasks_db_tasks

        self._tasks, self._rows = django_tasks_db_tasks, DBTaskResult.objects

    def enqueue(self, number: int) -> None:
        self._tasks.nothing.enqueue(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        from django.db import transaction

        with transaction.atomic():
            for number in numbers:
                self._tasks.nothing.enqueue(number)

    def ask(self, number: int) -> int:
        """`refresh` until it is finished: all that Django's tasks give to wait with."""
        result, deadline = self._tasks.answer.enqueue(number), time.monotonic() + PATIENCE
        while not result.is_finished:
            if time.monotonic() > deadline:
                raise TimeoutError(f"task {number} has no result")
            time.sleep(POLL)
            result.refresh()
        return int(result.return_value)

    def is_settled(self) -> bool:
        return (
            not self._rows.filter(status="READY").exists()
            and not self._rows.filter(status="RUNNING").exists()
        )

    def clear(self) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {self._rows.model._meta.db_table}")

    def work(self) -> None:
        self._start()
        command = ["python", "-m", "django", "db_worker"]
        if self.config == "best":
            command += ["--interval", "0.01", "--no-startup-delay", "--verbosity", "0"]
        os.execvp(command[0], command)
