"""Celery on Redis, with its results in Redis."""

import os
import signal
import subprocess
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["Celery"]


class Celery(Peer):
    """https://docs.celeryq.dev/en/stable/userguide/workers.html"""

    requires = ("celery[redis]==5.7.0", "hiredis==3.5.0")
    needs_redis = True
    configs = {
        "default": "celery worker: a process for each core, four tasks ahead for each, acknowledged early",
        "best": "a worker for each core that runs tasks itself (solo), 64 ahead, no gossip, mingle, heartbeats",
    }
    backlog = {"default": 10_000, "best": 30_000}

    def set_up(self) -> None:
        pass

    def open(self) -> None:
        from benchmarks.peers.declared import celery_tasks

        self._tasks = celery_tasks
        self._redis = celery_tasks.app.backend.client

    def enqueue(self, number: int) -> None:
        self._tasks.nothing.delay(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        with self._tasks.app.producer_or_acquire() as producer, producer.batch():
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
        if self.config == "default":
            os.execvp(command[0], command)
        command += ["--pool=solo", "--prefetch-multiplier=64"]
        command += ["--without-gossip", "--without-mingle", "--without-heartbeat"]
        workers = [subprocess.Popen([*command, "-n", f"{core}@%h"]) for core in range(os.cpu_count() or 1)]
        signal.signal(signal.SIGTERM, lambda *_: [worker.terminate() for worker in workers])
        for worker in workers:
            worker.wait()
