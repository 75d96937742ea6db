"""Tasks of each kind: atomic, tried again, in the event loop, in processes of their own, limited in time."""

import asyncio
import ctypes
import time

from chaos.project.models import Effect
from chaos.project.runs import Run
from django_tpq.futures import current_call, task

__all__ = ["ATTEMPTS", "TOO_LONG"]

ATTEMPTS = 4
"""Of tasks that are tried again."""
BACKOFF = 0.1
"""Seconds."""
TIMEOUT = 1.0
"""Seconds of tasks that take longer than that."""
AGES = 90.0
"""Seconds that they would take."""


def _write(number: int, seconds: float) -> str:
    with Run(number) as name:
        Effect.objects.create(queue="atomic", number=number)
        time.sleep(seconds)
    return name


@task(atomic=True)
def writes(number: int, seconds: float = 0.0) -> str:
    """Leave an effect in the transaction of its end; the name of the run."""
    return _write(number, seconds)


@task(atomic=True, executor="process")
def writes_apart(number: int, seconds: float = 0.0) -> str:
    """The same in a worker process."""
    return _write(number, seconds)


def _stumble(number: int, failures: int) -> None:
    call = current_call()
    with Run(number, call.attempt):
        Effect.objects.create(queue="atomic", number=number) if call.task.endswith("writes") else None
        if call.attempt <= failures:
            raise ValueError(f"call {number} fails {failures} times, as it is meant to")


@task(max_attempts=ATTEMPTS, backoff=BACKOFF)
def stumbles(number: int, failures: int) -> None:
    """Fail some times, then return."""
    _stumble(number, failures)


@task(max_attempts=ATTEMPTS, backoff=BACKOFF, atomic=True)
def stumbles_and_writes(number: int, failures: int) -> None:
    """Leave an effect, and fail: only the one of the attempt that returns stays."""
    _stumble(number, failures)


@task
async def naps(number: int, seconds: float = 0.0) -> str:
    """Wait in the event loop; the name of the run."""
    with Run(number) as name:
        await asyncio.sleep(seconds)
    return name


@task(executor="process")
def works_apart(number: int, seconds: float = 0.0) -> str:
    """Take so long in a worker process; the name of the run."""
    with Run(number) as name:
        time.sleep(seconds)
    return name


@task(timeout=TIMEOUT)
def oversleeps(number: int) -> None:
    """Sit in C code beyond its timeout: nothing can interrupt its thread."""
    with Run(number):
        time.sleep(AGES)


@task(timeout=TIMEOUT, executor="process")
def oversleeps_apart(number: int) -> None:
    """The same in a worker process, which a signal interrupts."""
    with Run(number):
        time.sleep(AGES)


@task(timeout=TIMEOUT, executor="process")
def hangs_apart(number: int) -> None:
    """Wait in C code, in a worker process, with Python's lock in hand: no signal ends that, no handler has a turn."""
    with Run(number):
        mutex = ctypes.create_string_buffer(64)
        while True:
            ctypes.PyDLL(None).pthread_mutex_lock(mutex)


@task(timeout=TIMEOUT)
async def overnaps(number: int) -> None:
    """Wait too long in the event loop."""
    with Run(number):
        await asyncio.sleep(AGES)


TOO_LONG = {
    "oversleeps": oversleeps,
    "oversleeps in a process": oversleeps_apart,
    "hangs in a process": hangs_apart,
    "oversleeps in the event loop": overnaps,
}
"""Tasks that end in `CallTimeout`, by how."""
