"""Tasks that take their time, in each of the places where tasks run."""

import asyncio
import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from asgiref.sync import sync_to_async
from django.db import OperationalError

from django_tpq.futures import CallCancelled, current_call, task
from django_tpq.logs import context

QUICK = 0.01
"""Seconds until the next attempt."""


def spend(seconds: float) -> None:
    """Time that Python itself spends."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        sum(range(100))


def hold(seconds: float) -> None:
    """Time that nothing can interrupt."""
    time.sleep(seconds)


def enqueue(body: Any) -> Any:
    from tests.testapp.models import PlainQueue  # this module is imported before the apps are ready

    return PlainQueue.objects.enqueue(body)


def write(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(f"{text}\n")


def place() -> tuple[int, str]:
    return os.getpid(), threading.current_thread().name


# Where they run -------------------------------------------------------------------------------------------


@task
def in_thread() -> tuple[int, str]:
    return place()


@task(executor="process")
def in_process() -> tuple[int, str]:
    return place()


@task
async def in_loop() -> tuple[int, str]:
    return place()


@task(executor="thread")
async def coroutine_in_thread() -> tuple[int, str]:
    return place()


@task
async def meet(path: str, number: int) -> int:
    """End when so many are there."""
    write(path, "there")

    def there() -> int:
        return len(Path(path).read_text().splitlines())

    while there() < number:  # noqa: ASYNC110 - others write it, too
        await asyncio.sleep(0.05)
    return number


@task(executor="process")
def echo_in_process(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


@task(executor="process")
def fail_in_process() -> None:
    raise ValueError("in a process")


@task(executor="process")
def write_in_process(path: str, text: str) -> None:
    write(path, text)


@task(executor="process", max_deliveries=2)
def end_the_process(path: str) -> None:
    write(path, "run")
    os._exit(3)


@task(executor="process")
def spend_in_process(seconds: float) -> int:
    spend(seconds)
    return os.getpid()


@task
async def block(seconds: float) -> None:
    hold(seconds)


@task
async def backend_pid() -> int:
    """Of the connection on which Django does the work of coroutines."""
    return await sync_to_async(_backend_pid)()


def _backend_pid() -> int:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


# Limits ---------------------------------------------------------------------------------------------------


@task(timeout=0.5)
def late_in_thread(path: str, seconds: float) -> None:
    try:
        spend(seconds)
    finally:
        write(path, "cleared up")


@task(timeout=0.5)
def held_in_thread(seconds: float) -> None:
    hold(seconds)


@task(timeout=0.5)
async def late_in_loop(path: str, seconds: float) -> None:
    try:
        await asyncio.sleep(seconds)
    finally:
        write(path, "cleared up")


@task(timeout=0.5, executor="process")
def late_in_process(path: str, seconds: float) -> None:
    try:
        hold(seconds)
    finally:
        write(path, "cleared up")


@task(timeout=0.5, executor="process")
def stubborn_in_process(seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(BaseException):
            spend(seconds)


@task(timeout=0.5, atomic=True)
def late_in_transaction(seconds: float) -> None:
    from django.db import connection

    enqueue("never")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [seconds])


@task(timeout=0.3, max_attempts=3, backoff=QUICK)
def late_twice(path: str) -> int:
    write(path, "run")
    attempt = current_call().attempt
    spend(10 if attempt < 3 else 0)
    return attempt


@task(executor="process")
def eat(mebibytes: int) -> None:
    eaten = []
    for _ in range(mebibytes):
        eaten.append(bytearray(os.urandom(1024)) * 1024)
        time.sleep(0.001)
    time.sleep(20)


# Cancelled ------------------------------------------------------------------------------------------------


@task
def until_cancelled(path: str) -> str:
    write(path, "begun")
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if current_call().is_cancelled:
            raise CallCancelled("as you wish")
        time.sleep(0.01)
    return "not cancelled"


@task
async def wait_in_loop(path: str) -> None:
    write(path, "begun")
    try:
        await asyncio.sleep(30)
    finally:
        write(path, "cleared up")


@task(executor="process")
def wait_in_process(path: str) -> None:
    write(path, "begun")
    try:
        time.sleep(30)
    finally:
        write(path, "cleared up")


# Progress -------------------------------------------------------------------------------------------------


@task
def count(number: int, seconds: float) -> None:
    for done in range(number):
        current_call().progress(done + 1, number, f"number {done + 1}")
        time.sleep(seconds / number)


@task(executor="process", atomic=True)
def count_in_process(number: int, seconds: float) -> None:
    for done in range(number):
        current_call().progress(done + 1, number)
        time.sleep(seconds / number)


# Atomic ---------------------------------------------------------------------------------------------------


@task(atomic=True)
def enqueue_once(body: Any) -> Any:
    return enqueue(body) and body


@task(atomic=True, max_attempts=2, backoff=QUICK)
def enqueue_and_stumble(body: Any) -> int:
    enqueue(body)
    if current_call().attempt == 1:
        raise ValueError("the first time")
    return 2


@task(atomic=True)
def fail_for_the_server(body: Any, name: str) -> Any:
    """As when PostgreSQL raises this; after the first claim only."""
    enqueue(body)
    if current_call().claim_no == 1:
        raise OperationalError("the server's own text") from getattr(psycopg.errors, name)()
    return body


@task(atomic=True)
def lose_its_connection(body: Any) -> int:
    """Lose it after the first claim."""
    from django.db import connection

    enqueue(body)
    call = current_call()
    if call.claim_no == 1:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    return call.claim_no


@task(atomic=True)
def break_its_connection() -> None:
    """Lose it each time."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


@task(atomic=True, executor="process")
def enqueue_in_process(body: Any) -> int:
    enqueue(body)
    return os.getpid()


@task
def hold_thread(seconds: float) -> None:
    hold(seconds)


# Logs -----------------------------------------------------------------------------------------------------


@task
def say_in_thread() -> str:
    return json.dumps(context())


@task
async def say_in_loop() -> str:
    await asyncio.sleep(0)
    return json.dumps(context())


@task(executor="process")
def say_in_process() -> str:
    return json.dumps(context())


# What goes wrong ------------------------------------------------------------------------------------------


@task(timeout=1)
async def block_beyond_its_time(seconds: float) -> str:
    hold(seconds)
    return "returned"


@task
async def fail_in_loop() -> None:
    raise ValueError("in the loop")


@task
async def keep_djangos_thread(seconds: float) -> None:
    await sync_to_async(time.sleep)(seconds)


@task
async def exit_in_a_task_of_its_own(error: str) -> None:
    async def sub() -> None:
        raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt}[error]

    await asyncio.gather(sub())


@task
async def stop_the_loop() -> str:
    asyncio.get_running_loop().stop()
    await asyncio.sleep(0.01)
    return "went on"


@task(executor="process")
def fork_and_come_back() -> str:
    os.fork()
    return "back"


@task(executor="process", max_attempts=3, backoff=0)
def fail_with(number: int) -> None:
    raise ValueError(number)


@task(executor="process", max_deliveries=1)
def die_with_a_child_left(seconds: float) -> None:
    if os.fork() == 0:
        time.sleep(seconds)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)


@task(executor="process")
def leave_a_thread_that_reports() -> None:
    call = current_call()

    def report() -> None:
        for number in range(30):
            call.progress(number, 1000, "of another call")
            time.sleep(0.1)

    threading.Thread(target=report, daemon=True).start()


@task(atomic=True)
def close_its_connection(body: Any) -> None:
    from django.db import connection

    enqueue(body)
    connection.close()


@task(timeout=1)
async def wait_in_depth() -> None:
    await _deeper()


@task(timeout=0.5)
async def wait_and_clear_up(path: str) -> None:
    write(path, "begun")
    try:
        await _deeper()
    finally:
        write(path, "cleared up")


async def _deeper() -> None:
    await asyncio.sleep(30)


@task(timeout=0.5)
def swallow_and_return(seconds: float) -> str:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        with contextlib.suppress(BaseException):
            spend(seconds)
    return "after all"
