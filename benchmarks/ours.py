"""What is measured of ours. Runs inside the project of `benchmarks.project`."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import quantiles
from typing import NamedTuple

import django
from django.core.management import call_command
from django.db import connection

from benchmarks.marks import Marks
from benchmarks.server import Database
from benchmarks.timing import drained, rate

__all__ = ["Drained", "Ours"]

CHUNK = 10_000
BODY = {"number": 1, "text": "x" * 100}


class Drained(NamedTuple):
    """How a backlog was worked off."""

    rate: float
    """Tasks a second, from the first start to the last settled."""
    cpu: float
    """Seconds of the executor's process per 1,000 tasks."""
    supervisor_cpu: float
    wal: float
    """Bytes a task."""
    commits: float
    """Per task."""
    memory: float
    """MB of the executor's process at its end."""


class Ours:
    """django-tpq on a database.

    Args:
        database: a fresh one.
        folder: where marks and logs go.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.marks_file = folder / "marks"
        self.log = folder / "executor.log"
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "benchmarks.project.settings",
            "BENCH_DSN": database.dsn,
            "BENCH_MARKS": str(self.marks_file),
        }
        django.setup()
        call_command("migrate", verbosity=0)
        from benchmarks.project import models, tasks

        self.tasks, self.queue = tasks, models.BenchQueue.objects

    # The executor -----------------------------------------------------------------------------------------

    @contextmanager
    def executor(self, threads: int, processes: int = 1, **environment: str) -> Iterator[int]:
        """An executor for the block; the pid of its supervisor."""
        command = [
            sys.executable,
            "-m",
            "django",
            "executor",
            "-f",
            f"-t{threads}",
            f"--processes={processes}",
        ]
        self.log.write_text("")
        with self.log.open("ab") as out:
            process = subprocess.Popen(command, stdout=out, stderr=out, env=os.environ | environment)
        try:
            while "is ready" not in self.log.read_text():
                assert process.poll() is None, self.log.read_text()
                time.sleep(0.01)
            yield process.pid
        finally:
            process.terminate()
            process.wait(60)

    def fill(self, task: object, count: int) -> Marks:
        """Enqueue calls; where their starts are noted."""
        marks = Marks(self.marks_file, count)
        for start in range(0, count, CHUNK):
            task.delay_many([(i,) for i in range(start, min(start + CHUNK, count))])  # type: ignore[attr-defined]
        with self.database.connect() as fresh:
            fresh.execute("VACUUM ANALYZE tpq_call")
            fresh.execute("CHECKPOINT")
        return marks

    def drain(self, count: int, threads: int, *, results: bool = False, **environment: str) -> Drained:
        """Work off a backlog of no-op tasks with one executor process."""
        marks = self.fill(self.tasks.answer if results else self.tasks.note, count)
        before = self.database.cost()
        with self.executor(threads, **environment) as supervisor:
            child = children(supervisor)[0]
            idle = cpu(child)
            self.wait_for(marks)
            settled = self.wait_until_settled()
            spent, over = cpu(child) - idle, cpu(supervisor)
            held = memory(child)
        after = self.database.cost()
        first = min(marks.all())
        return Drained(
            rate=count / ((settled - first) / 1e9),
            cpu=spent / count * 1000,
            supervisor_cpu=over / count * 1000,
            wal=(after.wal - before.wal) / count,
            commits=(after.commits - before.commits) / count,
            memory=held,
        )

    def wait_for(self, marks: Marks, limit: float = 120) -> None:
        """Until all have started."""
        deadline = time.monotonic() + limit
        while marks.missing:
            assert time.monotonic() < deadline, f"{marks.missing} have not started: {self.log.read_text()}"
            time.sleep(0.01)

    def wait_until_settled(self) -> int:
        """Until no call is left; the moment."""
        with self.database.connect() as watcher:
            while watcher.execute("SELECT EXISTS (SELECT FROM tpq_call)").fetchone() == (True,):
                time.sleep(0.002)
        return time.monotonic_ns()

    # Enqueueing -------------------------------------------------------------------------------------------

    def delay_singly(self) -> float:
        """Calls a second, each committed."""
        Marks(self.marks_file, 1)
        return self._cleared(rate(lambda: self.tasks.note.delay(0), 1))

    def delay_many(self, size: int = 1000) -> float:
        """Calls a second, so many in one go."""
        calls = [(i,) for i in range(size)]
        return self._cleared(rate(lambda: self.tasks.note.delay_many(calls), size))

    def enqueue(self) -> float:
        """Messages a second, each committed."""
        return self._cleared(rate(lambda: self.queue.enqueue(BODY), 1))

    def enqueue_many(self, size: int = 1000) -> float:
        """Messages a second, so many in one go."""
        bodies = [BODY] * size
        return self._cleared(rate(lambda: self.queue.enqueue_many(bodies), size))

    def dequeue(self, rows: int = 10_000) -> float:
        """Messages a second, each taken alone."""
        self._fill_queue(3 * rows)
        return self._cleared(drained(lambda: self.queue.dequeue() and 1, rows))

    def dequeue_many(self, rows: int = 100_000) -> float:
        """Messages a second, 500 at once."""
        self._fill_queue(rows)
        return self._cleared(drained(lambda: len(self.queue.dequeue_many(500)), rows))

    def _fill_queue(self, rows: int) -> None:
        for _ in range(0, rows, CHUNK):
            self.queue.enqueue_many([BODY] * CHUNK)
        with self.database.connect() as fresh:
            fresh.execute("VACUUM ANALYZE project_benchqueue")

    def _cleared(self, figure: float) -> float:
        with connection.cursor() as cursor:
            cursor.execute("TRUNCATE tpq_call, project_benchqueue")
        return figure

    # Latency ----------------------------------------------------------------------------------------------

    def pick_up(self, times: int = 200, a_second: float = 20.0, **environment: str) -> tuple[float, float]:
        """Milliseconds from before `.delay()` to the task's first line, p50 and p99, at so many tasks a second."""
        marks, asked = Marks(self.marks_file, times + 20), []
        with self.executor(8, **environment):
            for number in range(times + 20):
                asked.append(time.monotonic_ns())
                self.tasks.note.delay(number)
                time.sleep(1 / a_second)
            self.wait_for(marks)
        started = marks.all()
        return _p50_p99([(started[i] - asked[i]) / 1e6 for i in range(20, times + 20)])

    def round_trips(self, times: int = 300, **environment: str) -> tuple[float, float]:
        """Milliseconds of `.delay()` and `result(wait=0)` in sequence, p50 and p99."""
        Marks(self.marks_file, times + 20)
        trips = []
        with self.executor(8, **environment):
            for number in range(times + 20):
                started = time.perf_counter()
                assert self.tasks.answer.delay(number).result(wait=10) == number
                trips.append((time.perf_counter() - started) * 1000)
        return _p50_p99(trips[20:])

    def pick_up_message(self, times: int = 400) -> float:
        """Milliseconds (median) from before `enqueue` here until another process has it from `dequeue(wait=0)`."""
        code = "from benchmarks.ours import _dequeue_until_told; _dequeue_until_told()"
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        latencies = []
        for number in range(1, times + 1):
            time.sleep(0.005)
            started = time.monotonic_ns()
            self.queue.enqueue(number)
            latencies.append((int(process.stdout.readline()) - started) / 1e6)
        self.queue.enqueue(0)
        process.wait()
        return _p50_p99(latencies)[0]


def _dequeue_until_told() -> None:
    django.setup()
    from benchmarks.project.models import BenchQueue

    print("ready", flush=True)
    while BenchQueue.objects.dequeue(wait=0):
        print(time.monotonic_ns(), flush=True)


def _p50_p99(values: list[float]) -> tuple[float, float]:
    cuts = quantiles(values, n=100)
    return cuts[49], cuts[98]


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    return [int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def cpu(pid: int) -> float:
    """Seconds of CPU a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """MB that are the process's own (PSS)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) / 1024
