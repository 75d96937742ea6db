"""Who commits long after adding messages rings once more, for those who have gone to sleep meanwhile."""

import time

import pytest
from django.db import DatabaseError, transaction

from django_tpq.main import late
from django_tpq.main.connections import connect
from tests.testapp.models import PlainQueue, TenantQueue
from tpq.table import QueueTable

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects


@pytest.fixture
def rings(transactional_db):
    """Listen to the queue without having asked; how many rings came until now."""
    with connect("default") as connection:
        connection.execute(f"LISTEN {queue.table().channel()}")
        connection.execute("SELECT setval(pg_get_serial_sequence('testapp_plainqueue', 'state'), 1)")
        came = []

        def rings():
            came.extend(connection.notifies(timeout=0.05))
            return len(came)

        yield rings


@pytest.fixture
def at_once(monkeypatch):
    """Every commit is late."""
    monkeypatch.setattr(late, "LATE", 0.0)


def test_a_late_commit_rings_for_who_has_asked_since(rings):
    with transaction.atomic():
        queue.enqueue(1)
        time.sleep(late.LATE)
        with connect("default") as other:
            QueueTable.of_messages(queue.model._meta.db_table, other.cursor).ask(60)
        assert rings() == 0
    assert rings() == 1


@pytest.mark.usefixtures("at_once")
def test_it_does_not_ring_if_nobody_has_asked(rings):
    with transaction.atomic():
        queue.enqueue(1)
    assert rings() == 0


def test_a_commit_that_is_not_late_costs_nothing_more(rings, django_assert_num_queries):
    with django_assert_num_queries(3), transaction.atomic():  # BEGIN, INSERT, COMMIT
        queue.enqueue(1)
    assert rings() == 0


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("count", [1, 2, 600])
def test_many_messages_ring_once(count, django_assert_num_queries):
    statements = {1: 1, 2: 1, 600: 2}[count]  # COPY draws its ids before
    with django_assert_num_queries(2 + 3 * statements + 1), transaction.atomic():
        for _ in range(3):
            queue.enqueue_many(range(count))


@pytest.mark.usefixtures("at_once")
def test_each_queue_has_its_own_ring(django_assert_num_queries):
    TenantQueue.objects.enqueue(0, tenant="ada")  # the first look at a table costs more
    with django_assert_num_queries(2 + 2 + 2), transaction.atomic():
        queue.enqueue(1)
        TenantQueue.objects.enqueue(1, tenant="ada")


@pytest.mark.usefixtures("at_once")
def test_the_next_transaction_rings_anew(django_assert_num_queries):
    for _ in range(2):
        with django_assert_num_queries(4), transaction.atomic():
            queue.enqueue(1)


@pytest.mark.usefixtures("at_once")
def test_what_was_rolled_back_rings_for_nobody(django_assert_num_queries):
    with django_assert_num_queries(3), transaction.atomic():
        queue.enqueue(1)
        transaction.set_rollback(True)


@pytest.mark.usefixtures("at_once")
def test_a_ring_that_fails_is_no_error(monkeypatch, caplog):
    def fails(self):
        raise DatabaseError("away")

    monkeypatch.setattr(QueueTable, "ring_if_asked", fails)
    with caplog.at_level("INFO", "django_tpq.late"), transaction.atomic():
        queue.enqueue(1)
    assert ("was not rung" in caplog.text, queue.count()) == (True, 1)
