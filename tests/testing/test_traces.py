"""The kit leaves nothing behind, and asks for nothing that is not there."""

import os
import signal
import subprocess
import sys
import threading

import pytest
from django.conf import settings as project
from django.db import connection

from django_tpq.conf import settings
from django_tpq.futures import inlining, moments, registry, signals
from django_tpq.futures.decorators import TaskFunction
from django_tpq.futures.here import interferences
from django_tpq.testing import (
    assert_enqueued,
    clock,
    executor,
    inline,
    run_pending,
    simulate_crash,
    simulate_timeout,
)
from tests.fixtures.process import children_of, environment
from tests.testapp import tasks


def traces():
    """What a kit could leave behind, but for rows."""
    return {
        "settings": (settings.INLINE, project.is_overridden("TPQ_INLINE"), id(project._wrapped)),
        "clock": moments.ahead.get(),
        "accidents": (interferences.get(), TaskFunction.__call__),
        "tasks": (list(registry.names()), dict(registry._finders), list(inlining._runs)),
        "receivers": [len(vars(signals)[name].receivers) for name in ("task_enqueued", "task_started")],
        "threads": {thread.name for thread in threading.enumerate()},
        "children": len(children_of(os.getpid())),
        "signals": {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)},
        "files": os.listdir("/proc/self/fd"),
        "environment": dict(os.environ),
        "transaction": (connection.in_atomic_block, len(connection.run_on_commit)),
    }


def use_it_all():
    with inline():
        tasks.add.delay(1, 2).result()
    tasks.stumble.using(backoff=60).delay(1)
    tasks.echo.delay()
    assert_enqueued(tasks.echo)
    with clock() as moved, simulate_crash(tasks.echo), simulate_timeout(tasks.stumble):
        run_pending()
        moved.advance(hours=1)
        run_pending()
    for usual in (ZeroDivisionError, KeyboardInterrupt):
        with pytest.raises(usual):
            fail_in_it_all(usual())


def fail_in_it_all(error):
    with inline(), clock() as moved, simulate_crash(tasks.add, times=2):
        moved.advance(days=1)
        raise error


def test_nothing_is_left_in_a_testcase(db):
    use_it_all()  # what is loaded late is loaded by now
    before = traces()
    use_it_all()
    after = traces()
    assert before.pop("transaction")[0] is after.pop("transaction")[0] is True
    assert after == before


def test_nothing_is_left_where_calls_are_committed(transactional_db, monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    monkeypatch.delenv("TPQ_TEST_DATABASE", raising=False)
    use_it_all()
    before = traces()
    use_it_all()
    with executor("-t", "1"):
        pass
    assert traces() == before


def run(script):
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_the_plugin_loads_nothing_before_it_is_used(db):
    script = """
import pytest, sys
before = set(sys.modules)
import django_tpq.pytest_plugin
print(*sorted(name for name in set(sys.modules) - before if name.startswith(("django", "tpq", "psycopg"))))
"""
    assert run(script) == ["django_tpq", "django_tpq.pytest_plugin"]


def test_the_kit_needs_no_pytest(db):
    script = """
import sys
sys.modules["pytest"] = None
import django
django.setup()
from django_tpq.testing import *
print(run_pending.__name__)
"""
    assert run(script) == ["run_pending"]


def test_its_names_are_those_that_are_documented():
    from django_tpq import testing

    assert [name for name in testing.__all__ if not getattr(testing, name).__doc__] == []
    kit = {name for name in vars(testing.Kit) if not name.startswith("_")}
    functions = {name for name in testing.__all__ if name[0].islower()}
    assert kit == functions - {"executor"}


SUITE = """
import pytest
from tests.testapp import tasks


def test_pending(tpq):
    future = tasks.add.delay(1, 2)
    tpq.assert_enqueued(tasks.add, args=(1, 2))
    assert [ran.outcome for ran in tpq.run_pending()] == ["returned"]
    assert future.result() == 3


def test_inline(tpq_inline, tpq_clock):
    assert tasks.add.delay(1, 2).result() == 3
    tpq_clock.advance(days=1)


@pytest.mark.django_db(transaction=True)
def test_commits(tpq):
    future = tasks.add.delay(1, 2)
    tpq.run_pending()
    assert future.result(wait=0) == 3


def test_executor(tpq_executor):
    tpq_executor("-t", "1")
    assert tasks.add.delay(1, 2).result(wait=60) == 3
"""


def test_the_fixtures_serve_a_suite_that_has_nothing_of_ours(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    (tmp_path / "test_suite.py").write_text(SUITE)
    given = {"TPQ_TEST_NAME": f"test_tpq_suite_{os.getpid()}", "PYTHONPATH": os.pathsep.join(sys.path)}
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "TPQ_TEST"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**own, **given, "DJANGO_SETTINGS_MODULE": "tests.settings"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout
