"""The story: a queue hands files over to tasks, an executor is killed half-way, and every number is right."""

import sysconfig
import tempfile
import time
from pathlib import Path
from typing import Any

from django.db import transaction
from tqdm import tqdm

from django_tpq.futures import Future
from django_tpq.futures.models import CallQueue, Task
from django_tpq.main.errors import QueueEmpty
from examples.demo import database, report, tasks
from examples.demo.executor import ExecutorProcess
from examples.demo.figures import differences, figures_of, summed
from examples.demo.models import FileQueue

BATCH = 200
ROUND_TRIPS = 200
QUICK = 5000


def source_files(limit: int | None) -> list[Path]:
    """Python's own source files, without what was installed beside them."""
    root = Path(sysconfig.get_path("stdlib"))
    files = (path for path in sorted(root.rglob("*.py")) if "site-packages" not in path.parts)
    return [path for path in files if path.is_file()][:limit]


def run(limit: int | None = None) -> int:
    """Run it all; the exit code."""
    with tempfile.TemporaryDirectory() as folder, database.fresh():
        wrong = Demo(source_files(limit), Path(folder) / "executor.log").run()
    for line in wrong:
        print(f"WRONG: {line}")
    print("\nAll numbers are right." if not wrong else "\nSome numbers are wrong.")
    return 1 if wrong else 0


class Demo:
    """One run on some files."""

    def __init__(self, files: list[Path], log: Path) -> None:
        self._files = files
        self._log = log
        self._wrong: list[str] = []
        self._executor: ExecutorProcess | None = None

    def run(self) -> list[str]:
        """Tell the story; what was wrong, in words."""
        report.headline(f"{len(self._files)} source files into a queue, and from there to tasks")
        futures = self._hand_over(self._enqueue())
        try:
            self._start()
            self._compare(self._collect(futures))
            self._raise()
            self._measure()
        finally:
            if self._executor is not None:
                self._executor.stop()
        self._statistics(len(futures))
        return self._wrong

    def _start(self) -> None:
        self._executor = ExecutorProcess(self._log)
        self._executor.wait_until_ready()

    def _enqueue(self) -> int:
        started = time.perf_counter()
        ids = FileQueue.objects.enqueue_many({"path": str(path)} for path in self._files)
        print(f"  {len(ids)} messages enqueued, {len(ids) / (time.perf_counter() - started):,.0f} a second")
        return len(ids)

    def _hand_over(self, expected: int) -> list[Future[dict[str, Any]]]:
        """Take messages out and make calls of them, in one transaction: each exactly once."""
        futures: list[Future[dict[str, Any]]] = []
        while True:
            try:
                with transaction.atomic():
                    bodies = FileQueue.objects.dequeue_many(BATCH)
                    futures += tasks.parse.delay_many([(body["path"],) for body in bodies])
            except QueueEmpty:
                break
        self._expect("messages handed over", len(futures), expected)
        return futures

    def _collect(self, futures: list[Future[dict[str, Any]]]) -> list[dict[str, Any]]:
        report.headline("An executor works; half-way it is killed with SIGKILL, and another takes over")
        started, results = time.perf_counter(), []
        killed_at, held = 0.0, 0
        for place, future in enumerate(tqdm(futures, unit="file", disable=None)):
            if place == len(futures) // 2:
                killed_at, held = time.perf_counter(), self._kill()
            results.append(future.result(wait=80))
            if killed_at and results[-1]["lost"]:
                seconds = time.perf_counter() - killed_at
                tqdm.write(f"  {seconds:.1f} s after the kill the first of them had run again")
                killed_at = 0.0
        again = [result["claim_no"] for result in results if result["lost"]]
        released = sum(result["claim_no"] > 1 and not result["lost"] for result in results)
        print(f"  {len(again)} calls were lost and ran again, with the claim numbers {sorted(again)}")
        print(f"  {released} others were claimed twice and ran once: they had waited too long in a buffer")
        print(f"  {len(results) / (time.perf_counter() - started):,.0f} calls a second, the kill included")
        self._expect("calls that were lost with the executor and ran again", len(again), held)
        return results

    def _kill(self) -> int:
        """SIGKILL for all there is; how many calls it held."""
        assert self._executor is not None
        hit, held = self._executor.kill(), CallQueue.objects.count(state="claimed")
        tqdm.write(f"  SIGKILL hit {hit} processes; they held {held} calls")
        self._executor = ExecutorProcess(self._log)
        return held

    def _compare(self, results: list[dict[str, Any]]) -> None:
        report.headline("The sums, compared with a direct computation")
        found = summed(result["figures"] for result in results)
        expected = summed(map(figures_of, self._files))
        report.sums(found, expected)
        self._wrong += differences(found, expected)

    def _raise(self) -> None:
        report.headline("A task that raises is re-raised here, with its traceback there")
        try:
            tasks.divide.delay(1, 0).result(wait=30)
        except ZeroDivisionError as error:
            print("  " + f"{error!r}\n{error.__notes__[0]}".rstrip().replace("\n", "\n  "))
        else:
            self._wrong.append("1 / 0 did not raise")

    def _measure(self) -> None:
        report.headline("Throughput and latency")
        latencies = []
        for _ in range(ROUND_TRIPS):
            started = time.perf_counter()
            tasks.nothing.delay().result(wait=30)
            latencies.append(time.perf_counter() - started)
        report.latencies(latencies)
        started = time.perf_counter()
        for future in tasks.nothing.delay_many([()] * QUICK)[-100:]:
            future.result(wait=60)
        print(f"  {QUICK:,} calls enqueued and run: {QUICK / (time.perf_counter() - started):,.0f} a second")

    def _statistics(self, calls: int) -> None:
        report.headline("Task.objects (a SIGKILL may lose the counts of its last second)")
        report.statistics()
        counted = dict(Task.objects.values_list("name", "total"))
        self._expect("divide in Task.objects", counted.get(tasks.divide.name), 1)
        self._expect("nothing in Task.objects", counted.get(tasks.nothing.name), ROUND_TRIPS + QUICK)
        if not 0 < counted.get(tasks.parse.name, 0) <= calls:
            self._wrong.append(f"Task.objects counts {counted.get(tasks.parse.name)} of {calls} calls")

    def _expect(self, what: str, found: object, expected: object) -> None:
        if found != expected:
            self._wrong.append(f"{what}: {found} instead of {expected}")
