"""Chancy, with psycopg."""

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any

from benchmarks.peers.peer import Peer

__all__ = ["Chancy"]

SETTLED = """
    SELECT NOT EXISTS (
        SELECT FROM chancy_jobs WHERE queue = 'default' AND state IN ('pending', 'retrying', 'running')
    )
"""
CLEAR = "TRUNCATE chancy_jobs, chancy_workers, chancy_leader"


class Chancy(Peer):
    """https://tkte.ch/chancy/

    It stores no results: a job leaves what it has to say in its `meta`, and `wait_for_job` gives the job.
    """

    requires = ("chancy==0.26.0", "psycopg[binary,pool]==3.3.9")
    configs = {
        "default": "a worker and a queue as the quick start has them: a process for each core, a look every 5 s",
        "best": "1,000 asynchronous jobs at a time, eager polling, updates every 10 ms, no metrics, no workflows",
    }
    backlog = {"default": 100, "best": 50_000}

    def _made(self) -> Any:
        from benchmarks.peers.declared.chancy_app import made

        return made(self.config)

    def set_up(self) -> None:
        asyncio.run(self._install())

    async def _install(self) -> None:
        from benchmarks.peers.declared.chancy_app import queues

        async with self._made() as app:
            await app.migrate()
            await app.declare(queues[self.config])

    def open(self) -> None:
        import psycopg

        from benchmarks.peers.declared import chancy_app as declared

        self._connection = psycopg.connect(self.place.dsn, autocommit=True)
        self._loop, self._app = asyncio.new_event_loop(), self._made()
        if self.config == "default":
            self._nothing, self._answer = declared.nothing.job, declared.answer.job
        else:
            self._nothing, self._answer = declared.nothing_async.job, declared.answer_async.job

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(coroutine)

    def enqueue(self, number: int) -> None:
        job = self._nothing.with_kwargs(number=number)
        if self.config == "default":
            self._do(self._app.push(job))
        else:
            self._app.sync_push(job)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        jobs = [self._nothing.with_kwargs(number=number) for number in numbers]
        if self.config == "default":
            self._do(self._push_many(jobs))
        else:
            list(self._app.sync_push_many(jobs))

    async def _push_many(self, jobs: list[Any]) -> None:
        async for _ in self._app.push_many(jobs):
            pass

    def ask(self, number: int) -> int:
        return int(self._do(self._ask(self._answer.with_kwargs(number=number))))

    async def _ask(self, job: Any) -> Any:
        pause = {} if self.config == "default" else {"interval": 0.005}
        done = await self._app.wait_for_job(await self._app.push(job), timeout=10, **pause)
        return done.meta["answer"]

    def is_settled(self) -> bool:
        row = self._connection.execute(SETTLED).fetchone()
        return row is not None and bool(row[0])

    def clear(self) -> None:
        self._connection.execute(CLEAR)

    def work(self) -> None:
        asyncio.run(self._work())

    async def _work(self) -> None:
        from chancy import Worker

        async with self._made() as app, Worker(app) as worker:
            if self.config == "best":
                worker.send_outgoing_interval = 0.01
            await worker.wait_for_shutdown()
