"""A queue without its table, or with a table that plain makemigrations made: a clear error at the first use."""

import pytest
from asgiref.sync import async_to_sync
from django.db import connection, transaction
from django.test.utils import isolate_apps

import tpq
from django_tpq.main.errors import UnknownQueue
from django_tpq.main.models import BaseQueue
from django_tpq.main.operations import InstallQueue
from tpq import schema

VERBS = {
    "enqueue": lambda queue: queue.enqueue(1),
    "enqueue_many": lambda queue: queue.enqueue_many([1]),
    "enqueue_many by copy": lambda queue: queue.enqueue_many(range(1000)),
    "dequeue": lambda queue: queue.dequeue(),
    "dequeue waiting": lambda queue: queue.dequeue(wait=0),
    "dequeue_many": lambda queue: queue.dequeue_many(3),
    "receive": lambda queue: queue.receive().__enter__(),
    "receive lease": lambda queue: queue.receive(lease=60).__enter__(),
    "peek": lambda queue: queue.peek(),
    "count": lambda queue: queue.count(),
    "clear": lambda queue: queue.clear(),
    "requeue": lambda queue: queue.requeue([1]),
    "discard": lambda queue: queue.discard([1]),
    "aenqueue": lambda queue: async_to_sync(queue.aenqueue)(1),
    "adequeue": lambda queue: async_to_sync(queue.adequeue)(),
    "adequeue waiting": lambda queue: async_to_sync(queue.adequeue)(wait=0),
}
verbs = pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
HOW = "run `manage.py queuemigrations` and `manage.py migrate`"


@pytest.fixture
def model(db):
    """A queue model without a table."""
    with isolate_apps("tests.testapp"):

        class LostQueue(BaseQueue):
            class Meta:
                app_label = "testapp"

        yield LostQueue


@pytest.fixture
def plain(model):
    """The same with the table that Django makes."""
    with connection.schema_editor() as editor:
        editor.create_model(model)
    return model


@verbs
def test_a_missing_table_is_an_unknown_queue(model, verb):
    with pytest.raises(UnknownQueue, match=f"the queue table 'testapp_lostqueue' does not exist: {HOW}"):
        verb(model.objects)


@verbs
def test_a_table_of_plain_makemigrations_is_an_unknown_queue(plain, verb):
    told = f"the table 'testapp_lostqueue' has not been installed as a queue: {HOW}"
    with pytest.raises(UnknownQueue, match=told):
        verb(plain.objects)


def test_the_error_comes_from_no_depths(model):
    with pytest.raises(tpq.QueueError) as raised:
        model.objects.enqueue(1)
    assert (raised.value.__cause__, raised.value.__context__) == (None, None)


def test_the_error_leaves_the_transaction_usable(model):
    with transaction.atomic():
        with pytest.raises(UnknownQueue):
            model.objects.enqueue(1)
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")


def test_a_table_that_is_installed_later_is_a_queue_at_once_with_its_rows(plain):
    with pytest.raises(UnknownQueue):
        plain.objects.count()
    plain.objects.bulk_create([plain(body=body) for body in range(3)])
    with connection.schema_editor(atomic=False) as editor:
        for statement in InstallQueue("LostQueue", schema.VERSION).statements(
            "testapp_lostqueue", undo=False
        ):
            editor.execute(statement)
    plain.objects.enqueue(3)
    assert plain.objects.dequeue_many(9) == [0, 1, 2, 3]
