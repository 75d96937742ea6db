"""An operation on a queue that is in use waits briefly for its lock, and tries again: nobody waits behind it."""

import threading
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection

from django_tpq.main import operations
from django_tpq.main.models import BaseQueue
from django_tpq.main.operations import InstallQueue, UninstallQueue
from tests.main.test_operations import History, create, version
from tpq import schema

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def history(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A queue that is there; operations on it are impatient."""
    assert BaseQueue
    monkeypatch.setattr(operations, "LOCK_TIMEOUT", "100ms")
    monkeypatch.setattr(operations, "PAUSE", 0.05)
    history = History()
    history.apply(create(), InstallQueue("Post", schema.VERSION))
    yield history
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS shop_post")


@pytest.fixture
def holder(history: History) -> Any:
    """Another session, with the table locked."""
    parameters = {k: v for k, v in connection.get_connection_params().items() if k in KEYS}
    with psycopg.connect(**parameters) as other:
        other.execute("LOCK TABLE shop_post IN ROW SHARE MODE")
        yield other


KEYS = {"host", "port", "dbname", "user", "password"}


def test_who_does_not_get_the_lock_says_what_holds_it_and_changes_nothing(history, holder, monkeypatch):
    monkeypatch.setattr(operations, "TRIES", 3)
    with pytest.raises(
        OperationalError, match=r"shop_post was locked by others each of 3 times, for 100ms: end the"
    ):
        history.apply(UninstallQueue("Post", schema.VERSION))
    holder.rollback()
    assert version() == schema.VERSION


def test_the_lock_is_tried_for_again(history, holder):
    threading.Timer(0.5, holder.rollback).start()
    history.apply(UninstallQueue("Post", schema.VERSION))
    assert version() is None


def test_who_uses_the_queue_meanwhile_waits_no_longer_than_the_lock_is_tried_for(
    history, holder, monkeypatch
):
    monkeypatch.setattr(operations, "PAUSE", 0.5)
    threading.Timer(1.5, holder.rollback).start()
    thread = threading.Thread(
        target=lambda: (history.apply(UninstallQueue("Post", schema.VERSION)), connection.close())
    )
    thread.start()
    parameters = {k: v for k, v in connection.get_connection_params().items() if k in KEYS}
    with psycopg.connect(**parameters, autocommit=True) as user:
        user.execute("SET statement_timeout = '400ms'")
        for _ in range(10):
            user.execute("INSERT INTO shop_post (body) VALUES ('1')")
    thread.join()


def test_the_rest_of_the_migration_has_the_timeout_that_it_had(history):
    with connection.schema_editor() as editor, connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '7s'")
        UninstallQueue("Post", schema.VERSION).database_forwards("shop", editor, history.state, history.state)
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone() == ("7s",)


def test_other_errors_are_not_tried_again(history):
    with pytest.raises(Exception, match="is an identity column"):
        history.apply(InstallQueue("Post", schema.VERSION))
