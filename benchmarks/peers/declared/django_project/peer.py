"""What the backends of `django.tasks` have in common. Standard library only, as `benchmarks.peers.peer`."""

import json
import os
import time
from abc import abstractmethod
from typing import Any, ClassVar

from benchmarks.peers.peer import Peer

__all__ = ["DjangoPeer"]

POLL = 0.005
PATIENCE = 10.0


class DjangoPeer(Peer):
    """A backend of `django.tasks`.

    Nothing there waits for a result. `ask` does what the documents show instead, `refresh` until it is
    finished, 5 ms after each other: what it measures is no finer than that.
    """

    python = (3, 12)
    app: ClassVar[str]
    backend: ClassVar[str]
    command: ClassVar[str]
    """The worker's management command."""
    tables: ClassVar[str]
    """What is emptied, with all that refers to it."""
    unfinished: ClassVar[str]
    """A query for tasks that have not been finished."""

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """The backend's `OPTIONS`."""

    @abstractmethod
    def arguments(self) -> list[str]:
        """The arguments of the management command."""

    def _configure(self) -> None:
        system = {
            "app": self.app,
            "backend": self.backend,
            "options": self.options(),
            "is_best": self.config == "best",
        }
        os.environ["BENCH_DJANGO"] = json.dumps(system)
        os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.peers.declared.django_project.settings"

    def set_up(self) -> None:
        self._configure()
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate", verbosity=0)

    def open(self) -> None:
        from django.db import connection

        from benchmarks.peers.declared.django_project import tasks

        self._tasks, self._connection = tasks, connection

    def enqueue(self, number: int) -> None:
        self._tasks.nothing.enqueue(number)

    def ask(self, number: int) -> int:
        result = self._tasks.answer.enqueue(number)
        deadline = time.monotonic() + PATIENCE
        while not result.is_finished:
            if time.monotonic() > deadline:
                raise TimeoutError(f"no result for {number}")
            time.sleep(POLL)
            result.refresh()
        return int(result.return_value)

    def is_settled(self) -> bool:
        with self._connection.cursor() as cursor:
            cursor.execute(f"SELECT NOT EXISTS ({self.unfinished})")
            return bool(cursor.fetchone()[0])

    def clear(self) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(f"TRUNCATE {self.tables} CASCADE")

    def work(self) -> None:
        self._configure()
        os.execvp("django-admin", ["django-admin", self.command, *self.arguments()])
