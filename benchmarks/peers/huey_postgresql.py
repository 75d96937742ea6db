"""huey on PostgreSQL, by its own PostgresHuey."""

import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["HueyPostgresql"]


class HueyPostgresql(Peer):
    """https://huey.readthedocs.io/en/latest/guide.html#storage-options"""

    requires = ("huey[postgres]==3.5.4", "psycopg[binary]==3.3.9")
    configs = {
        "default": "huey_consumer of PostgresHuey: one thread, woken by NOTIFY; a task is taken off before it starts",
        "best": "the same without its log; a result is looked for each 5 ms",
    }
    backlog = {"default": 12_000, "best": 20_000}

    def set_up(self) -> None:
        self.open()

    def open(self) -> None:
        os.environ["BENCH_CONFIG"] = self.config
        from benchmarks.peers.declared import huey_tasks

        self._tasks = huey_tasks
        self._storage = huey_tasks.huey.storage

    def enqueue(self, number: int) -> None:
        self._tasks.nothing(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        self._tasks.nothing.map(numbers)

    def ask(self, number: int) -> int:
        waits = {"max_delay": 0.005} if self.config == "best" else {}
        return int(self._tasks.answer(number).get(blocking=True, timeout=10, **waits))

    def is_settled(self) -> bool:
        """A task leaves no trace once it has been taken off."""
        return not self._tasks.huey.pending_count()

    def clear(self) -> None:
        kept = self._storage
        tables = kept.table_task, kept.table_schedule, kept.table_kv, kept.table_counter
        kept.sql(f"TRUNCATE {', '.join(tables)}")

    def work(self) -> None:
        os.environ["BENCH_CONFIG"] = self.config
        command = ["huey_consumer", "benchmarks.peers.declared.huey_tasks.huey"]
        if self.config == "best":
            command += ["--quiet"]
        os.execvp(command[0], command)
