"""Our statements on Django's connection: by Django's cursor where it has to see them, with its errors anywhere."""

import gc
import weakref

import psycopg
import pytest
from django.db import Error, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from django_tpq.main import prepared
from tests.testapp.models import PlainQueue

pytestmark = pytest.mark.django_db(transaction=True)

OURS = "SELECT count(*) FROM pg_prepared_statements WHERE name LIKE 'tpq%'"


def number_of_prepared():
    with connection.cursor() as cursor:
        cursor.execute(OURS)
        return cursor.fetchone()[0]


@pytest.fixture(autouse=True)
def fresh():
    """A connection on which nothing is prepared."""
    connection.close()


def test_what_comes_often_is_prepared_once():
    for body in range(5):
        PlainQueue.objects.enqueue(body)
        assert PlainQueue.objects.dequeue() == body
    assert number_of_prepared() == 2


def test_who_counts_queries_sees_them():
    with CaptureQueriesContext(connection) as seen:
        PlainQueue.objects.enqueue(1)
    assert "INSERT INTO" in seen[-1]["sql"]


def test_execute_wrappers_see_them():
    seen = []

    def wrapper(execute, sql, params, many, context):
        seen.append(sql)
        return execute(sql, params, many, context)

    with connection.execute_wrapper(wrapper):
        PlainQueue.objects.enqueue(1)
        assert PlainQueue.objects.dequeue() == 1
    assert any("INSERT INTO" in sql for sql in seen)
    assert any("DELETE FROM" in sql for sql in seen)


def test_behind_a_pooler_nothing_is_prepared(monkeypatch):
    monkeypatch.setattr(prepared, "is_direct", lambda _connection: False)
    PlainQueue.objects.enqueue(1)
    assert PlainQueue.objects.dequeue() == 1
    assert number_of_prepared() == 0


def test_in_a_pipeline_djangos_cursor_is_used():
    connection.ensure_connection()
    with connection.connection.pipeline():
        PlainQueue.objects.enqueue(1)
    assert PlainQueue.objects.dequeue() == 1


def test_a_transaction_that_begins_with_ours_rolls_back_with_it():
    def enqueue_and_fail():
        with transaction.atomic():
            PlainQueue.objects.enqueue(1)
            raise LookupError

    with pytest.raises(LookupError):
        enqueue_and_fail()
    assert PlainQueue.objects.count() == 0


def test_a_broken_transaction_is_refused_as_djangos_cursor_does():
    with transaction.atomic():
        connection.needs_rollback = True
        with pytest.raises(transaction.TransactionManagementError):
            PlainQueue.objects.enqueue(1)
        connection.needs_rollback = False


def test_errors_are_djangos_and_keep_their_cause():
    PlainQueue.objects.enqueue(1)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 200")
    with psycopg.connect(**parameters()) as other:
        other.execute(f"LOCK TABLE {PlainQueue._meta.db_table}")
        with pytest.raises(OperationalError) as error:
            PlainQueue.objects.enqueue(2)
    assert isinstance(error.value.__cause__, psycopg.errors.QueryCanceled)


def parameters():
    known = {"dbname", "host", "port", "user", "password"}
    return {key: value for key, value in connection.get_connection_params().items() if key in known}


def test_a_lost_connection_is_an_error_and_the_next_one_starts_anew():
    PlainQueue.objects.enqueue(1)
    connection.connection.close()
    with pytest.raises(Error):
        PlainQueue.objects.enqueue(2)
    connection.close()
    assert PlainQueue.objects.enqueue(3)


def test_a_connection_that_was_closed_is_not_kept_alive():
    PlainQueue.objects.enqueue(1)
    gone = weakref.ref(connection.connection)
    connection.close()
    gc.collect()
    assert gone() is None
