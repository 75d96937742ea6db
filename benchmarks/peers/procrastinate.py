"""Procrastinate, with psycopg."""

import os
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["Procrastinate"]

CONCURRENCY = 10
SETTLED = "SELECT NOT EXISTS (SELECT FROM procrastinate_jobs WHERE status IN ('todo', 'doing'))"
CLEAR = (
    "TRUNCATE procrastinate_jobs, procrastinate_events, procrastinate_periodic_defers, procrastinate_workers"
)


class Procrastinate(Peer):
    """https://procrastinate.readthedocs.io/en/stable/howto/production/concurrency.html

    It gives no results: what a task returns goes to the log.
    """

    requires = ("procrastinate==3.10.0", "psycopg[binary,pool]==3.3.9", "uvloop==0.23.0")
    configs = {
        "default": "procrastinate worker: one job at a time, each in a thread, jobs kept",
        "best": "10 asynchronous jobs at a time on uvloop, a pool of autocommit connections, jobs deleted when done",
    }
    backlog = {"default": 8_000, "best": 8_000}

    def set_up(self) -> None:
        from benchmarks.peers.declared.procrastinate_app import app

        with app.open():
            app.schema_manager.apply_schema()

    def open(self) -> None:
        import psycopg
        import psycopg_pool

        from benchmarks.peers.declared import procrastinate_app as declared

        self._connection = psycopg.connect(self.place.dsn, autocommit=True)
        if self.config == "default":
            self._task, pool = declared.nothing, None
        else:
            self._task = declared.nothing_async
            pool = psycopg_pool.ConnectionPool(self.place.dsn, kwargs={"autocommit": True}, open=True)
        declared.app.open(pool)

    def enqueue(self, number: int) -> None:
        self._task.defer(number=number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        self._task.batch_defer(*({"number": number} for number in numbers))

    def is_settled(self) -> bool:
        row = self._connection.execute(SETTLED).fetchone()
        return row is not None and bool(row[0])

    def clear(self) -> None:
        self._connection.execute(CLEAR)

    def work(self) -> None:
        if self.config == "default":
            command = ["procrastinate", "--app=benchmarks.peers.declared.procrastinate_app.app", "worker"]
            os.execvp(command[0], command)
        import uvloop

        uvloop.run(self._work())

    async def _work(self) -> None:
        import psycopg
        import psycopg_pool

        from benchmarks.peers.declared.procrastinate_app import app

        async def autocommit(connection: psycopg.AsyncConnection) -> None:
            await connection.set_autocommit(True)

        size = CONCURRENCY + 1
        pool = psycopg_pool.AsyncConnectionPool(
            self.place.dsn, min_size=size, max_size=size, configure=autocommit, open=False
        )
        async with pool, app.open_async(pool):
            await app.run_worker_async(concurrency=CONCURRENCY, delete_jobs="always")
