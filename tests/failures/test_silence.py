"""What is said of calls, in logs and in the texts of errors, holds no arguments, no results and no credentials."""

import logging

import psycopg
import pytest
from django.db import connection

from django_tpq.futures.models import CallQueue
from django_tpq.main.connections import connect
from tests.failures.accidents import tasks
from tests.testapp import tasks as good

SECRET = "correct horse battery staple"


@pytest.fixture
def everything(executor, caplog):
    """An executor that says all it can, and what is said here."""
    caplog.set_level(logging.DEBUG)
    started = executor("-t", "2", "--verbosity=3")
    return lambda: started.text() + caplog.text


def test_calls_that_return_fail_and_die_are_named_without_what_is_in_them(everything, eventually, tmp_path):
    good.echo.delay(SECRET).result(wait=20)
    assert good.nap.delay(SECRET).exception(wait=20)
    good.add.using(codec="json").delay(SECRET, SECRET).result(wait=20)
    dead = tasks.leave_at_once.delay(str(tmp_path / SECRET), 1)
    assert "ExecutorLost" in repr(dead.exception(wait=60))
    changed = good.echo.using(delay=0.5).delay(SECRET)
    CallQueue.objects.filter(pk=changed._call.number).update(task="tests.testapp.tasks.add")
    assert "signature" in str(changed.exception(wait=20))
    said = everything()
    assert "tests.testapp.tasks.nap" in said
    assert SECRET not in said
    for row in CallQueue.objects.filter(state="dead"):
        assert SECRET not in f"{row.error} {row.errors}"


def test_what_can_not_be_written_is_named_and_not_shown(transactional_db):
    for call in (
        lambda: good.echo.delay({SECRET: lambda: None}),
        lambda: good.echo.using(codec="json").delay({SECRET: {1, 2}}),
    ):
        with pytest.raises(TypeError) as caught:
            call()
        assert SECRET not in str(caught.value)


def test_a_password_is_in_no_error_of_a_connection(own_server, monkeypatch):
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", SECRET)
    monkeypatch.setitem(connection.settings_dict, "HOST", "/nowhere")
    with pytest.raises(psycopg.OperationalError, match="nowhere") as caught:
        connect("default")
    assert SECRET not in str(caught.value)
    monkeypatch.setitem(connection.settings_dict, "HOST", str(own_server.room))
    monkeypatch.setitem(connection.settings_dict, "PASSWORD", SECRET)
    monkeypatch.setitem(connection.settings_dict, "NAME", "there_is_none")
    with pytest.raises(psycopg.OperationalError, match="there_is_none") as caught:
        connect("default")
    assert SECRET not in str(caught.value)
