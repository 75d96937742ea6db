"""Tasks that note in the ledger when they run, and some that go wrong in every way. More of them: features.py."""

import contextlib
import ctypes
import os
import resource
import signal
import time
import uuid
from pathlib import Path

from django.db import connection, transaction

from chaos.ledger import Kind
from chaos.project import features  # noqa: F401 - executors import this module only
from chaos.project.runs import Run, ledger
from django_tpq.futures import task


class Odd(BaseException):
    """An exception that nothing can be done with."""

    def __reduce__(self):  # type: ignore[no-untyped-def]
        raise RuntimeError("no pickle")

    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")

    __hash__ = BaseException.__hash__


@task
def work(number: int, seconds: float = 0.0) -> str:
    """Take so long; the name of the run."""
    with Run(number) as name:
        time.sleep(seconds)
    return name


@task
def nothing() -> None:
    """Nothing at all."""


@task
def fails(number: int) -> None:
    """Raise an ordinary exception."""
    with Run(number):
        raise ValueError(f"call {number} fails, as it is meant to")


@task
def misbehaves(number: int, how: str) -> None:
    """Raise what nobody expects, or leave the database in disorder; the process lives on."""
    with Run(number):
        MISDEEDS[how]()


def _leave_a_transaction_open() -> None:
    connection.ensure_connection()
    transaction.set_autocommit(False)
    connection.cursor().execute("SELECT count(*) FROM project_effect")


def _break_the_transaction() -> None:
    transaction.set_autocommit(False)
    connection.cursor().execute("SELECT 1 / 0")


def _close_the_connection() -> None:
    connection.ensure_connection()
    connection.connection.close()


def _eat_memory() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (2 << 30, hard))
    try:
        bytearray(8 << 30)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def _raise(error: BaseException) -> None:
    raise error


MISDEEDS = {
    "raises SystemExit": lambda: _raise(SystemExit(3)),
    "raises KeyboardInterrupt": lambda: _raise(KeyboardInterrupt()),
    "raises GeneratorExit": lambda: _raise(GeneratorExit()),
    "raises what can not be pickled, read or compared": lambda: _raise(Odd()),
    "leaves a transaction open": _leave_a_transaction_open,
    "breaks its transaction": _break_the_transaction,
    "closes its connection": _close_the_connection,
    "runs out of memory": _eat_memory,
}
RETURNS = frozenset({"leaves a transaction open", "closes its connection"})
"""Misdeeds that end without an exception."""


@task
def dies(number: int, how: str) -> None:
    """End the process."""
    with Run(number):
        pids = [os.getpid(), *_workers()]
        about = {"id": uuid.uuid4().hex, "name": how, "pids": pids, "deadly": True}
        ledger.note(Kind.FAULT, 0, about)
        DEATHS[how]()


def _workers() -> list[int]:
    """The worker processes of this one, which die with it. Read at once: who watches a suspect does so for a moment."""
    workers, own = [], str(os.getpid())
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended
            if stat.read_text().rpartition(")")[2].split()[1] == own:
                workers.append(int(stat.parent.name))
    return workers


def _eat_until_killed() -> None:
    """In a control group with little memory: the kernel kills the process that has eaten it."""
    (Path(os.environ["CHAOS_CGROUP"]) / "cgroup.procs").write_text(str(os.getpid()))
    eaten = []
    while True:
        eaten.append(b"x" * (4 << 20))


DEATHS = {
    "os._exit(0)": lambda: os._exit(0),
    "os._exit(1)": lambda: os._exit(1),
    "segmentation fault": lambda: ctypes.string_at(0),
    "abort": os.abort,
    "SIGKILL": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "eats memory until the kernel kills it": _eat_until_killed,
}


@task
def sticks(number: int, seconds: float) -> str:
    """Hold Python's lock in C code."""
    with Run(number) as name:
        ctypes.PyDLL(None).usleep(int(seconds * 1_000_000))
    return name


if os.environ.get("CHAOS_RELEASE", "2") == "2":

    @task
    def is_new(number: int) -> str:
        """A task that the release before does not know."""
        with Run(number) as name:
            return name
