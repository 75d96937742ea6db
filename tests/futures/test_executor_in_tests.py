"""`call_command("executor", "--once")` in somebody's test: it works on the test's database."""

import signal

import pytest
from django.core.management import call_command

from tests.testapp import tasks


@pytest.mark.django_db(transaction=True)
def test_it_runs_the_tests_own_calls(monkeypatch):
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "tests.settings")
    monkeypatch.delenv("TPQ_TEST_DATABASE", raising=False)
    future, handler = tasks.add.delay(1, 2), signal.getsignal(signal.SIGINT)
    call_command("executor", "--once")
    assert future.result() == 3
    assert signal.getsignal(signal.SIGINT) is handler
