"""Absurd by its SDK for Python, on PostgreSQL; the schema is the one that `absurdctl` of the same version installs."""

import threading
from collections.abc import Sequence

from benchmarks.peers.peer import Peer

__all__ = ["AbsurdSDK"]

TABLES = "absurd.t_default, absurd.r_default, absurd.c_default, absurd.e_default, absurd.w_default"
THREADS = 16


class AbsurdSDK(Peer):
    """https://github.com/earendil-works/absurd/tree/main/docs"""

    requires = ("absurd-sdk==0.5.1", "absurdctl==0.5.1")
    configs = {
        "default": "start_worker() as in the quickstart: one task for each claim, a poll in 0.25 s",
        "best": (
            "16 clients in threads of one process, since a client has one connection; "
            "200 tasks for each claim, a poll in 20 ms"
        ),
    }
    backlog = {"default": 3_000, "best": 20_000}

    def set_up(self) -> None:
        import psycopg
        from absurd_sdk import Absurd
        from absurdctl import BUNDLED_SCHEMA_SQL

        with psycopg.connect(self.place.dsn, autocommit=True) as connection:
            connection.execute(BUNDLED_SCHEMA_SQL)
            Absurd(connection).create_queue()

    def open(self) -> None:
        import psycopg

        from benchmarks.peers.declared.absurd_tasks import client

        self._connection = psycopg.connect(self.place.dsn, autocommit=True)
        self._client = client(self._connection)

    def enqueue(self, number: int) -> None:
        self._client.spawn("nothing", number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        with self._connection.transaction():
            for number in numbers:
                self._client.spawn("nothing", number)

    def ask(self, number: int) -> int:
        spawned = self._client.spawn("answer", number)
        return int(self._client.await_task_result(spawned["task_id"], timeout=10).result)

    def is_settled(self) -> bool:
        waits = "SELECT FROM absurd.r_default WHERE state IN ('pending', 'running', 'sleeping') LIMIT 1"
        return self._connection.execute(waits).fetchone() is None

    def clear(self) -> None:
        self._connection.execute(f"TRUNCATE {TABLES}")

    def work(self) -> None:
        if self.config == "default":
            self._work()
        for _ in range(THREADS):
            threading.Thread(target=self._work, kwargs={"batch_size": 200, "poll_interval": 0.02}).start()

    def _work(self, **options: float) -> None:
        from benchmarks.peers.declared.absurd_tasks import client

        client(self.place.dsn).start_worker(**options)
