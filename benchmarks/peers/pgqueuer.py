"""PgQueuer, with asyncpg."""

import asyncio
import os
from collections.abc import Coroutine, Sequence
from datetime import timedelta
from typing import Any

from benchmarks.peers.peer import Peer

__all__ = ["PgQueuer"]


class PgQueuer(Peer):
    """https://janbjorge.github.io/pgqueuer/guides/performance-tuning/

    It stores no results: who asks can wait for the status of a job, by a CompletionWatcher.
    """

    requires = ("pgqueuer==1.6.0", "asyncpg==0.32.0", "typer==0.19.2")  # `pgq run` fails with typer 0.29
    configs = {
        "default": "pgq run: one process on asyncpg and uvloop, batches of 10; test 5 waits for a status, not a value",
        "best": "the same with batches of 500 and a pool, after `pgq autovac`; test 5 without a pause between looks",
    }

    def set_up(self) -> None:
        asyncio.run(self._install())

    async def _install(self) -> None:
        queries = await self._connected()
        await queries.install()
        if self.config == "best":
            await queries.optimize_autovacuum()

    async def _connected(self) -> Any:
        import asyncpg
        from pgqueuer.queries import Queries

        return Queries.from_asyncpg_connection(await asyncpg.connect(self.place.url))

    def open(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._queries = self._do(self._connected())
        self._watcher: Any = None

    def _do(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(coroutine)

    def enqueue(self, number: int) -> None:
        self._do(self._queries.enqueue("nothing", b"%d" % number))

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        count, payloads = len(numbers), [b"%d" % number for number in numbers]
        self._do(self._queries.enqueue(["nothing"] * count, payloads, [0] * count))

    def ask(self, number: int) -> int:
        status = self._do(asyncio.wait_for(self._ask(number), 10))
        if status != "successful":
            raise ValueError(f"the job is {status}")
        return number

    async def _ask(self, number: int) -> str:
        if self._watcher is None:
            self._watcher = await self._watching()
        (job,) = await self._queries.enqueue("nothing", b"%d" % number)
        return str(await self._watcher.wait_for(job))

    async def _watching(self) -> Any:
        from pgqueuer.core.completion import CompletionWatcher

        pause = {"debounce": timedelta(milliseconds=1)} if self.config == "best" else {}
        return await CompletionWatcher(self._queries.driver, queries=self._queries, **pause).__aenter__()

    def is_settled(self) -> bool:
        return not self._do(self._queries.driver.fetch("SELECT FROM pgqueuer LIMIT 1"))

    def clear(self) -> None:
        self._do(self._clear())

    async def _clear(self) -> None:
        if self._watcher is not None:
            await self._watcher.__aexit__(None, None, None)
            self._watcher = None
        await self._queries.clear_queue()
        await self._queries.clear_queue_log()
        await self._queries.clear_statistics_log()

    def work(self) -> None:
        module = "benchmarks.peers.declared.pgqueuer_app"
        if self.config == "default":
            command = ["pgq", "run", f"{module}:one_connection"]
        else:
            command = ["pgq", "run", f"{module}:pool", "--batch-size", "500"]
        os.execvp(command[0], command)
