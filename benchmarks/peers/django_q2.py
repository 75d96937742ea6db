"""Django Q2 with the database as its broker."""

import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["DjangoQ2"]


class DjangoQ2(Peer):
    """https://django-q2.readthedocs.io/en/master/configure.html"""

    requires = ("django-q2==1.11.1", "Django==6.1.3", "psycopg[binary]==3.3.9")
    python = (3, 12)
    configs = {
        "default": "qcluster with the ORM broker as its documents show it: 4 workers, bulk 10, a look each 0.2 s",
        "best": "one worker, bulk 100, a look each 10 ms, no successes saved, no log, connections kept (CONN_MAX_AGE)",
    }
    backlog = {"default": 2_000, "best": 15_000}

    def _start(self) -> None:
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.peers.declared.django_q2_settings"
        os.environ["BENCH_CONFIG"] = self.config
        import django

        django.setup()

    def set_up(self) -> None:
        self._start()
        from django.core.management import call_command

        call_command("migrate", verbosity=0)

    def open(self) -> None:
        self._start()
        from django_q import models, tasks
        from django_q.brokers import get_broker

        from benchmarks.peers.declared import django_q2_tasks

        self._tasks, self._q, self._models = django_q2_tasks, tasks, models
        self._broker = get_broker()  # to be shared by all calls, its documents say

    def enqueue(self, number: int) -> None:
        self._q.async_task(self._tasks.nothing, number, broker=self._broker)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        from django.db import transaction

        with transaction.atomic():
            for number in numbers:
                self.enqueue(number)

    def ask(self, number: int) -> int:
        """`result` looks each 10 ms."""
        task = self._q.async_task(self._tasks.answer, number, broker=self._broker, save=True)
        return int(self._q.result(task, wait=10_000))

    def is_settled(self) -> bool:
        return not self._models.OrmQ.objects.exists()

    def clear(self) -> None:
        from django.db import connection

        tables = ", ".join(model._meta.db_table for model in (self._models.OrmQ, self._models.Task))
        with connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables}")

    def work(self) -> None:
        self._start()
        os.execvp("python", ["python", "-m", "django", "qcluster"])
