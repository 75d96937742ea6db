"""Other threads and other processes beside a test."""

import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import connection, connections

LISTENING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle' AND query LIKE 'LISTEN "tpq!_%%' ESCAPE '!'
"""
SETUP = """
import django
django.setup()
from tests.testapp.models import PlainQueue, TenantQueue
"""


@pytest.fixture
def in_background(transactional_db: None) -> Iterator[Callable[..., Callable[[], Any]]]:
    """Run a function in a thread with connections of its own; call the answer for its result."""
    threads: list[threading.Thread] = []

    def in_background(function: Callable[[], Any]) -> Callable[[], Any]:
        outcome: Future[Any] = Future()
        threads.append(threading.Thread(target=settle, args=(outcome, function), daemon=True))
        threads[-1].start()
        return lambda: outcome.result(30)

    yield in_background
    for thread in threads:
        thread.join(35)
    assert not any(thread.is_alive() for thread in threads)


def settle(outcome: "Future[Any]", function: Callable[[], Any]) -> None:
    """Call a function, close the connections that it opened in this thread, and keep how it ended."""
    try:
        result = function()
    except BaseException as error:
        connections.close_all()
        outcome.set_exception(error)
    else:
        connections.close_all()
        outcome.set_result(result)


@pytest.fixture
def elsewhere(transactional_db: None) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Start a program in a process of its own; it has Django on the tests' database, and the queues."""
    started: list[subprocess.Popen[str]] = []
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "TPQ_TEST_DATABASE": str(connection.settings_dict["NAME"]),
    }

    def elsewhere(program: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-c", SETUP + textwrap.dedent(program)]
        pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env=environment, **pipes))
        return started[-1]

    yield elsewhere
    try:
        for process in started:
            process.communicate(timeout=30)
            assert process.returncode == 0
    finally:
        for process in started:
            process.kill()


@pytest.fixture
def somebody_listens(eventually: Callable[..., None]) -> Callable[[], None]:
    """Until a waiter's ear is open."""

    def is_open() -> None:
        with connection.cursor() as cursor:
            cursor.execute(LISTENING)
            assert cursor.fetchone() == (1,)

    return lambda: eventually(is_open)
