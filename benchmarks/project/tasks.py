"""The tasks that are measured."""

import functools
import os
import time

from benchmarks.marks import Marks
from benchmarks.project import claims
from django_tpq.futures import task


@functools.cache
def _marks() -> Marks:
    return Marks(os.environ["BENCH_MARKS"])


@task(result_ttl=0)
def note(number: int) -> None:
    """Note the start, and no more. Nobody wants its result."""
    _marks().note(number)


@task
def answer(number: int) -> int:
    """As `note`, with a result."""
    _marks().note(number)
    return number


claims.watch()


@task(result_ttl=0)
def wait(number: int, seconds: float) -> None:
    """Wait for something outside."""
    _marks().note(number)
    time.sleep(seconds)
