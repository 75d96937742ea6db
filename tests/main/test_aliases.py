"""Queues in other databases: `objects.using(alias)`, and a router that sends a queue there."""

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction

from django_tpq.main.errors import QueueEmpty
from django_tpq.main.managers import COPY_FROM
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(databases=["default", "other"])
here, there = PlainQueue.objects, PlainQueue.objects.using("other")
both_ways = pytest.mark.parametrize("chosen", ["by using", "by a router"])


class Router:
    """Sends the plain queue to another database."""

    def db_for_write(self, model, **hints):
        return "other" if model is PlainQueue else None

    db_for_read = db_for_write


@pytest.fixture
def queue(chosen, settings):
    """The queue in the other database."""
    if chosen == "by using":
        return there
    settings.DATABASE_ROUTERS = [Router()]
    return here


@both_ways
def test_every_verb_works_in_another_database(queue):
    number = queue.enqueue("first", unique_key="one")
    assert queue.enqueue("twin", unique_key="one") is None
    assert len(queue.enqueue_many(range(3))) == 3
    assert PlainQueue.objects.using("default").all().count() == 0
    assert PlainQueue.objects.using("other").all().count() == 4
    (seen,) = queue.peek()
    assert (seen.pk, seen._state.db, queue.count(), queue.count("waiting")) == (number, "other", 4, 0)
    assert (queue.dequeue(), queue.dequeue_many(1)) == ("first", [0])
    with queue.receive() as message:
        assert (message.body, message._state.db) == (1, "other")
    with queue.receive(lease=60) as message:
        message.extend()
        message.bury("bad")
    assert queue.requeue([message.pk]) == {message.pk}
    with queue.receive(lease=60) as message:
        message.bury("worse")
    queue.enqueue("good")
    assert queue.dead().requeue() == (1, 0)
    assert queue.discard([message.pk]) == set()
    assert queue.clear() == 2
    with pytest.raises(QueueEmpty):
        queue.dequeue()


@both_ways
def test_copy_works_in_another_database(queue):
    ids = queue.enqueue_many(range(COPY_FROM))
    assert (ids == sorted(ids), PlainQueue.objects.using("default").all().count()) == (True, 0)
    assert queue.dequeue_many(COPY_FROM) == list(range(COPY_FROM))


def test_the_same_queue_in_two_databases_is_two_queues():
    here.enqueue("here")
    there.enqueue("there")
    assert (there.dequeue(), here.dequeue()) == ("there", "here")


def test_columns_of_ones_own_work_in_another_database():
    tenants = TenantQueue.objects.using("other")
    tenants.enqueue(1, tenant="ada")
    tenants.enqueue_many([2], tenant="bob", note={"a": 1})
    assert (tenants.dequeue(tenant="bob", note={"a": 1}), tenants.count(tenant="ada")) == (2, 1)


def test_what_using_gives_is_still_a_manager_with_querysets():
    there.enqueue("there")
    assert [message.body for message in there.filter(state="ready")] == ["there"]
    assert here.filter(state="ready").count() == 0


def test_using_nothing_is_the_router_s_choice():
    here.using(None).enqueue("here")
    assert there.using("default").dequeue() == "here"


@pytest.mark.django_db(databases=["default", "other"], transaction=True)
def test_each_database_has_its_own_transaction():
    with transaction.atomic(using="other"):
        here.enqueue("here")
        there.enqueue("there")
        transaction.set_rollback(True, using="other")
    assert (here.count(), there.count()) == (1, 0)


@both_ways
@pytest.mark.django_db(databases=["default", "other"], transaction=True)
def test_a_message_is_received_in_a_transaction_of_its_own_database(queue):
    def use():
        with queue.receive():
            assert transaction.get_connection("other").in_atomic_block
            assert not transaction.get_connection("default").in_atomic_block
            raise LookupError

    queue.enqueue("work")
    with pytest.raises(LookupError):
        use()
    assert queue.count() == 1


@both_ways
@pytest.mark.parametrize(
    "wait_for", [lambda q: q.dequeue(wait=30), lambda q: async_to_sync(q.adequeue)(wait=30)]
)
@pytest.mark.django_db(databases=["default", "other"], transaction=True)
def test_the_bell_of_another_database_is_heard(queue, wait_for, in_background, monkeypatch, eventually):
    monkeypatch.setattr("tpq.waiting.POLL_BEHIND_BELL", 3600.0)
    monkeypatch.setattr("tpq.waiting.POLL_BEHIND_BELL", 3600.0)
    taken = in_background(lambda: wait_for(queue))
    eventually(somebody_listens_there)
    queue.enqueue("came")
    assert taken() == "came"


def somebody_listens_there():
    with transaction.get_connection("other").cursor() as cursor:
        cursor.execute(
            "SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'"
        )
        assert cursor.rowcount == 1


def test_a_database_that_is_no_postgresql_is_refused_in_words(project):
    project.models("class Post(BaseQueue):\n    pass\n")
    project.use_sqlite("far")
    used = project.manage(
        "shell", "-c", "from shop.models import Post; Post.objects.using('far').enqueue(1)", code=1
    )
    assert used.stderr.splitlines()[-1].startswith(
        f"{ImproperlyConfigured.__module__}.ImproperlyConfigured: the database 'far' is sqlite, but queues need "
    )
