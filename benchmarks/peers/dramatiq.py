"""Dramatiq on Redis, with its results in Redis."""

import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["Dramatiq"]


class Dramatiq(Peer):
    """https://dramatiq.io/reference.html: the command and its environment variables."""

    requires = ("dramatiq[redis]==2.2.1", "hiredis==3.5.0")
    needs_redis = True
    configs = {
        "default": "dramatiq: a process for each core, 8 threads in each, 16 tasks ahead for each process",
        "best": "the same processes and threads, 1,000 tasks ahead for each process, idle for at most 10 ms",
    }
    backlog = {"default": 50_000, "best": 80_000}

    def set_up(self) -> None:
        pass

    def open(self) -> None:
        from benchmarks.peers.declared import dramatiq_tasks

        self._tasks = dramatiq_tasks
        self._redis = dramatiq_tasks.broker.client

    def enqueue(self, number: int) -> None:
        self._tasks.nothing.send(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self._tasks.nothing.send(number)

    def ask(self, number: int) -> int:
        return int(self._tasks.answer.send(number).get_result(block=True))

    def is_settled(self) -> bool:
        return not self._redis.exists("dramatiq:default.msgs", "dramatiq:default.DQ.msgs")

    def clear(self) -> None:
        self._redis.flushall()

    def work(self) -> None:
        if self.config == "best":
            # A process whose tasks ahead are all fetched sleeps for 5 ms or more, even if they are done long before.
            os.environ.update(dramatiq_queue_prefetch="1000", dramatiq_worker_timeout="10")
        command = ["dramatiq", "benchmarks.peers.declared.dramatiq_tasks"]
        os.execvp(command[0], command)
