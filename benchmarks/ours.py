"""django-tpq as one more system. Runs inside the project of `benchmarks.project`."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import django
from django.core.management import call_command

from benchmarks.driver import Backlog, Driver
from benchmarks.peers.peer import Place, Producer
from benchmarks.processes import children, cpu, memory
from benchmarks.server import Database

__all__ = ["Drained", "Ours"]

CHUNK = 10_000
LIMIT = 120.0


class Tpq(Producer):
    """Our producer; `Ours.executor` is the worker."""

    def set_up(self) -> None:
        call_command("migrate", verbosity=0)

    def open(self) -> None:
        from benchmarks.project import tasks

        self._tasks = tasks

    def enqueue(self, number: int) -> None:
        self._tasks.note.delay(number)

    def enqueue_many(self, numbers: Sequence[int]) -> None:
        self._tasks.note.delay_many([(number,) for number in numbers])

    def answer_many(self, numbers: Sequence[int]) -> None:
        """Calls whose results are kept."""
        self._tasks.answer.delay_many([(number,) for number in numbers])

    def ask(self, number: int) -> int:
        return int(self._tasks.answer.delay(number).result(wait=10))

    def is_settled(self) -> bool:
        return not self._value("SELECT EXISTS (SELECT FROM tpq_call)")

    def clear(self) -> None:
        self._value("TRUNCATE tpq_call, tpq_result, project_benchqueue")

    def _value(self, statement: str) -> bool:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute(statement)
            return bool(cursor.description and cursor.fetchone()[0])


class Drained(NamedTuple):
    """How a backlog was worked off."""

    rate: float
    """Tasks a second, from the first start to the last settled."""
    cpu: float
    """Seconds of the executor's process per 1,000 tasks."""
    supervisor_cpu: float
    """Its supervisor's, without the start."""
    wal: float
    """Bytes a task."""
    commits: float
    """Per task."""
    memory: float
    """MB of the executor's process at its end."""
    supervisor_memory: float


class Ours:
    """django-tpq on a database.

    Args:
        database: a fresh one.
        folder: where marks and logs go.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.database, self.folder = database, folder
        self.log = folder / "executor.log"
        self.claims = folder / "claims"
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
            "BENCH_DSN": database.dsn,
            "BENCH_MARKS": str(folder / "marks"),
        }
        django.setup()
        self.peer = Tpq(Place(database.dsn, database.url, ""), "")
        self.peer.set_up()
        self.driver = Driver(self.peer, str(folder / "marks"))

    @contextmanager
    def executor(self, threads: int, processes: int = 1, **environment: str) -> Iterator[int]:
        """An executor for the block; the pid of its supervisor."""
        ours = f"-t{threads}", f"--processes={processes}"
        command = [sys.executable, "-m", "django", "executor", "-f", *ours]
        self.log.write_text("")
        with self.log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | environment)
        try:
            while "is ready" not in self.log.read_text():
                assert process.poll() is None, self.log.read_text()
                time.sleep(0.01)
            yield process.pid
            assert process.poll() is None, self.log.read_text()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)

    def drain(
        self, count: int, threads: int, *, results: bool = False, processes: int = 1, **environment: str
    ) -> Drained:
        """Work off a backlog of no-op tasks."""
        self.driver.fill(count, CHUNK, "answer_many" if results else "enqueue_many")
        self.settle_down()
        before = self.database.cost()
        with self.executor(threads, processes, **environment) as supervisor:
            workers = children(supervisor)
            idle, over = sum(map(cpu, workers)), cpu(supervisor, own=True)
            backlog = Backlog(*self.driver.drained(LIMIT))
            used, spent = sum(map(cpu, workers)) - idle, cpu(supervisor, own=True) - over
            held, above = max(map(memory, workers)), memory(supervisor)
        after = self.database.cost()
        self.peer.clear()
        return Drained(
            rate=backlog.started / backlog.seconds,
            cpu=used / count * 1000,
            supervisor_cpu=spent / count * 1000,
            wal=(after.wal - before.wal) / count,
            commits=(after.commits - before.commits) / count,
            memory=held,
            supervisor_memory=above,
        )

    @contextmanager
    def results_in(self, redis: str) -> Iterator[None]:
        """Results go to a cache in Redis, for the block: here; an executor needs BENCH_CACHE."""
        from django.test import override_settings

        cache = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": redis}
        with override_settings(CACHES={"default": cache}, TPQ_RESULT_STORE=None):
            yield

    def settle_down(self) -> None:
        """Let the server do now what it would do in the middle of a measurement."""
        with self.database.connect() as connection:
            connection.execute("VACUUM ANALYZE")
            connection.execute("CHECKPOINT")

    def bare_memory(self) -> float:
        """MB of a process that has set up the same project and asked its database something, and no more."""
        code = (
            "import django, time; django.setup(); from django.db import connection\n"
            "connection.cursor().execute('SELECT 1'); print('ready', flush=True); time.sleep(60)"
        )
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        try:
            return memory(process.pid)
        finally:
            process.kill()
            process.wait()
