"""A real executor beside a test."""

import subprocess
import sys

import pytest
from django.contrib.auth.models import Group
from django.test import TestCase

from django_tpq.main.models import Consumer
from django_tpq.testing import executor
from tests.fixtures.process import environment, is_alive
from tests.testapp import tasks


@pytest.fixture(autouse=True)
def _settings_for_processes(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    monkeypatch.delenv("TPQ_TEST_DATABASE", raising=False)


def test_it_runs_the_tests_calls_and_ends_with_the_block(transactional_db):
    with executor("-t", "1") as running:
        future = tasks.tag.delay("elsewhere")
        assert future.result(wait=30) == Group.objects.get().pk
        assert "is ready" in running.log
        assert is_alive(running.pid)
    assert not is_alive(running.pid)
    assert Consumer.objects.count() == 0


def test_its_fixture_starts_some(tpq_executor):
    first, second = tpq_executor("-t", "1", "--queue", "mail"), tpq_executor("-t", "1", "--queue", "default")
    assert tasks.mail.delay("ada").result(wait=30) == "mail to ada"
    assert tasks.add.delay(1, 2).result(wait=30) == 3
    assert first.pid != second.pid
    first.kill()
    assert not is_alive(first.pid)
    Consumer.objects.all().delete()


def test_it_says_why_it_does_not_start(transactional_db):
    with pytest.raises(RuntimeError, match=r"no such queue.*nonsense"), executor("--queue", "nonsense"):
        pass


SCRIPT = """
import django, os, sys
django.setup()
from django_tpq.testing import executor
context = executor("-t", "1")
print(context.__enter__().pid, flush=True)
os.kill(os.getpid(), 9)
"""


def test_it_ends_with_whoever_started_it(transactional_db, eventually):
    """Even if that is killed, and can not say so."""
    command = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == -9, done.stderr

    def it_has_ended():
        assert not is_alive(int(done.stdout))

    eventually(it_has_ended, 30)


class TestInsideATestCase(TestCase):
    """It would see nothing."""

    def test_it_is_refused(self):
        with pytest.raises(RuntimeError, match="TransactionTestCase"), executor():
            pass
