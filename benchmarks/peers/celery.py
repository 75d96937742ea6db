"""Celery on Redis, with its results in Redis."""

import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["Celery"]


class Celery(Peer):
    """https://docs.celeryq.dev/en/stable/userguide/optimizing.html"""

    requires = ("celery[redis]==5.7.0",)
    needs_redis = True
    configs = {
        "default": "celery worker: a process for each core, four tasks ahead for each, acknowledged early",
        "best": "one process of 8 threads, 64 tasks ahead, no gossip, no mingle, no events",
    }
    backlog = {"default": 10_000, "best": 10_000}

    def set_up(self) -> None:
        pass

    def open(self) -> None:
        from benchmarks.peers.declared import celery_tasks

        self._tasks = celery_tasks
        self._redis = celery_tasks.app.backend.client

    def enqueue(self, number: int) -> None:
        self._tasks.nothing.delay(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        with self._tasks.app.producer_or_acquire() as producer:
            for number in numbers:
                self._tasks.nothing.apply_async((number,), producer=producer)

    def ask(self, number: int) -> int:
        return int(self._tasks.answer.delay(number).get(timeout=10))

    def is_settled(self) -> bool:
        return not self._redis.exists("celery", "unacked")

    def clear(self) -> None:
        self._redis.flushall()

    def work(self) -> None:
        command = ["celery", "-A", "benchmarks.peers.declared.celery_tasks", "worker", "-l", "warning"]
        if self.config == "best":
            command += ["--pool=threads", "--concurrency=8", "--prefetch-multiplier=8"]
            command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        os.execvp(command[0], command)
