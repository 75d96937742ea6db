"""Tasks that go wrong in every way."""

import asyncio
import ctypes
import os
import re
import signal
import threading
import time
from pathlib import Path

from django.apps import apps
from django.db import connection, transaction

from django_tpq.futures import current_call, task


@task
def write(path: str, text: str, seconds: float = 0.0) -> None:
    """Append a line to a file, then sleep."""
    with open(path, "a") as file:
        file.write(f"{text}\n")
    time.sleep(seconds)


@task
def work(path: str, text: str, seconds: float) -> int:
    """Append a line to a file, then sleep; the number of the claim."""
    write(path, text)
    time.sleep(seconds)
    return current_call().claim_no


@task
def wait_for(path: str, go: str) -> int:
    """Append a line to a file, then wait until another is there; the number of the claim."""
    write(path, "waits")
    while not Path(go).exists():
        time.sleep(0.02)
    return current_call().claim_no


@task
async def wait_in_the_loop(path: str, go: str) -> int:
    """As `wait_for`, among many others."""
    write(path, "waits")
    while not os.path.exists(go):  # noqa: ASYNC110, ASYNC240
        await asyncio.sleep(0.1)
    return current_call().claim_no


@task
def die_beside(path: str, others: int) -> None:
    """Kill the process, the first time when so many others have begun."""
    write(path, "dies")
    if current_call().deliveries == 0:
        while Path(path).read_text().count("waits") < others:
            time.sleep(0.02)
    os.kill(os.getpid(), signal.SIGKILL)


@task
def die_once(path: str) -> str:
    """Kill the process at the first run."""
    file = Path(path)
    if not file.exists():
        file.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return "survived"


@task
def leave(path: str, code: int) -> None:
    """End the process as if nothing were wrong."""
    write(path, "leaves")
    os._exit(code)


@task(max_deliveries=1)
def leave_at_once(path: str, code: int) -> None:
    """The same, but one loss is enough."""
    write(path, "leaves")
    os._exit(code)


@task(max_deliveries=1)
def crash(path: str) -> None:
    """Read where nothing is."""
    write(path, "crashes")
    ctypes.string_at(0)


@task
def throw(name: str) -> None:
    """Raise what no `except Exception` catches."""
    raise {"SystemExit": SystemExit, "KeyboardInterrupt": KeyboardInterrupt, "BaseException": BaseException}[
        name
    ]("thrown")


@task
async def throw_async() -> None:
    """The same from a coroutine."""
    raise SystemExit("thrown")


@task
def hold_the_lock(path: str) -> None:
    """Keep Python's lock for ever: a regular expression that does not end."""
    write(path, "holds")
    re.match(r"(a+)+$", "a" * 60 + "b")


@task
def hold_the_lock_for(seconds: float) -> None:
    """Keep Python's lock in C code."""
    ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))


@task
def say(text: str) -> None:
    """Print to standard output."""
    print(text)


@task
def ask_the_thread() -> int:
    """Have the thread that the app started at its `ready()` do something."""
    config = apps.get_app_config("accidents")
    config.asked.set()
    assert config.answered.wait(10)
    return config.answers[0]


@task
def deliveries() -> int:
    """How many deliveries of this call were lost."""
    return current_call().deliveries


@task
def process() -> tuple[int, int]:
    """Who runs this: the process and its thread."""
    return os.getpid(), threading.get_ident()


@task
def nothing_at_all() -> None:
    """Touch nothing."""


@task
def query() -> int:
    """Ask Django's connection for its backend."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


@task
def leave_a_transaction_open() -> None:
    """Begin a block and never end it."""
    transaction.atomic().__enter__()
    query()


@task
def leave_autocommit_off() -> None:
    """Take transactions into one's own hands and leave."""
    transaction.set_autocommit(False)
    query()


@task
def close_in_a_block() -> None:
    """Close the connection where it should not be."""
    transaction.atomic().__enter__()
    query()
    connection.close()


@task
def close_the_connection() -> None:
    """Leave nothing open."""
    query()
    connection.close()


@task
def kill_the_connection() -> None:
    """Have the server end it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


if "TPQ_TEST_NEXT_RELEASE" in os.environ:
    from tests.failures import next_release  # noqa: F401 - its tasks
