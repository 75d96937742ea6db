"""Oban for Python on PostgreSQL, the free edition."""

import asyncio
import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["Oban"]

TASKS = "benchmarks.peers.declared.oban_tasks"
UNFINISHED = (
    "SELECT FROM oban_jobs WHERE state IN ('available', 'executing', 'scheduled', 'retryable') LIMIT 1"
)


class Oban(Peer):
    """https://oban.pro/docs/py/production.html

    A task can record its result in its row, but nothing waits for it: no `ask`.
    """

    requires = ("oban==0.7.0", "psycopg[binary]==3.3.9")
    python = (3, 12)
    configs = {
        "default": "oban start: a queue of 10 at a time as in its quick start, two lines of log for each task",
        "best": "oban start: a queue of 50 at a time, all that are free fetched at once, and only warnings logged",
    }
    backlog = {"default": 20_000, "best": 50_000}

    def set_up(self) -> None:
        from oban import Oban, schema

        async def install() -> None:
            pool = await Oban.create_pool(self.place.dsn)
            await schema.install(pool)
            await pool.close()

        asyncio.run(install())

    def open(self) -> None:
        from oban import Oban

        from benchmarks.peers.declared.oban_tasks import Nothing

        self._task, self._runner = Nothing, asyncio.Runner()
        self._pool = self._runner.run(Oban.create_pool(self.place.dsn))
        self._oban = Oban(pool=self._pool)

    def enqueue(self, number: int) -> None:
        self._runner.run(self._task.enqueue({"number": number}))

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        jobs = [self._task.new({"number": number}) for number in numbers]
        self._runner.run(self._oban.enqueue_many(jobs))

    def is_settled(self) -> bool:
        return self._runner.run(self._rows(UNFINISHED)) == 0

    def clear(self) -> None:
        self._runner.run(self._rows("TRUNCATE oban_jobs, oban_leaders, oban_producers"))

    async def _rows(self, statement: str) -> int:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(statement)
            return int(cursor.rowcount)

    def work(self) -> None:
        # Without the name of a module, it would search all files below for periodic tasks.
        command = ["oban", "start", "--dsn", self.place.dsn, "--cron-modules", TASKS]
        if self.config == "best":
            command += ["--queues", "default:50", "--log-level", "WARNING"]
        else:
            command += ["--queues", "default:10"]
        os.execvp(command[0], command)
