"""huey on Redis."""

import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["HueyRedis"]


class HueyRedis(Peer):
    """https://huey.readthedocs.io/en/latest/consumer.html"""

    requires = ("huey==3.5.4", "redis[hiredis]==8.1.0")
    needs_redis = True
    configs = {
        "default": "huey_consumer of RedisHuey: one thread that waits in BRPOP; a task is taken off before it starts",
        "best": "two threads and no log; a result is waited for in BLPOP (notify_result)",
    }
    backlog = {"default": 35_000, "best": 60_000}

    def set_up(self) -> None:
        pass

    def open(self) -> None:
        os.environ["BENCH_CONFIG"] = self.config
        from benchmarks.peers.declared import huey_tasks

        self._tasks = huey_tasks

    def enqueue(self, number: int) -> None:
        self._tasks.nothing(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        self._tasks.nothing.map(numbers)

    def ask(self, number: int) -> int:
        return int(self._tasks.answer(number).get(blocking=True, timeout=10))

    def is_settled(self) -> bool:
        """A task leaves no trace once it has been taken off."""
        return not self._tasks.huey.pending_count()

    def clear(self) -> None:
        self._tasks.huey.storage.conn.flushdb()

    def work(self) -> None:
        os.environ["BENCH_CONFIG"] = self.config
        command = ["huey_consumer", "benchmarks.peers.declared.huey_tasks.huey"]
        if self.config == "best":
            command += ["--quiet", "-w", "2"]
        os.execvp(command[0], command)
