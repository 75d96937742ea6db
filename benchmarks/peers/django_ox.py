"""django-ox: a backend of django.tasks, which claims task by task under a lease, and polls."""

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.declared.django_project.peer import DjangoPeer

__all__ = ["DjangoOx"]


class DjangoOx(DjangoPeer):
    """https://oxpull.com/django-ox/production/"""

    requires = ("django-ox==1.9.1", "Django==6.1.3", "psycopg[binary]==3.3.9")
    configs = {
        "default": "ox_worker: one task at a time, a look each second when idle, a connection for each task",
        "best": "ox_worker: 4 threads, a look each 50 ms when idle, connections that stay open, no log of each task",
    }
    backlog = {"default": 3_000, "best": 6_000}
    app = "django_ox"
    backend = "django_ox.backend.OxBackend"
    command = "ox_worker"
    tables = "django_ox_oxtask"
    unfinished = "SELECT FROM django_ox_oxtask WHERE status IN ('READY', 'RUNNING')"

    def options(self) -> dict[str, Any]:
        return {}

    def arguments(self) -> list[str]:
        return ["--concurrency=4", "--interval=0.05", "--verbosity=0"] if self.config == "best" else []

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        from django_ox.bulk import enqueue_many

        enqueue_many(self._tasks.nothing, [((number,), {}) for number in numbers])
