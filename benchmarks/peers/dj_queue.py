"""dj-queue: a backend of django.tasks after Rails' Solid Queue, woken by NOTIFY."""

from collections.abc import Sequence
from typing import Any

from benchmarks.peers.declared.django_project.peer import DjangoPeer

__all__ = ["DjQueue"]


class DjQueue(DjangoPeer):
    """https://github.com/coriocactus/dj_queue#postgres-queue-health"""

    requires = ("dj-queue==0.14.2", "Django==6.1.3", "psycopg[binary]==3.3.9")
    configs = {
        "default": "dj_queue: a process for each role, 3 threads, 6 tasks claimed ahead, a connection for each task",
        "best": "dj_queue --mode async: one process of 32 threads, 800 tasks claimed ahead, connections that stay open",
    }
    backlog = {"default": 5_000, "best": 20_000}
    app = "dj_queue"
    backend = "dj_queue.backend.DjQueueBackend"
    command = "dj_queue"
    tables = "dj_queue_jobs, dj_queue_processes"
    unfinished = "SELECT FROM dj_queue_jobs WHERE finished_at IS NULL"

    def options(self) -> dict[str, Any]:
        if self.config == "default":
            return {}
        return {"workers": [{"threads": 32, "prefetch_multiplier": 25}]}

    def arguments(self) -> list[str]:
        return ["--mode", "async"] if self.config == "best" else []

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        task = self._tasks.nothing
        task.get_backend().enqueue_all([(task, [number], {}) for number in numbers])
