"""A verb touches its queue's table and no other, so that a queue can be placed anywhere."""

import pytest
from django.db import connection, transaction

from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue, tenants = PlainQueue.objects, TenantQueue.objects
TOUCHED = """
    SELECT DISTINCT relname FROM pg_locks JOIN pg_class ON pg_class.oid = relation
    WHERE pid = pg_backend_pid() AND locktype = 'relation' AND relkind NOT IN ('i', 'S', 't')
      AND relnamespace <> 'pg_catalog'::regnamespace
"""


def received(queue, verb, *arguments):
    with queue.receive(lease=60) as message:
        getattr(message, verb)(*arguments)
    return message


def received_in_transaction():
    with queue.receive():
        pass


VERBS = {
    "enqueue": lambda: queue.enqueue(1),
    "enqueue delayed": lambda: queue.enqueue(1, delay=60),
    "enqueue unique": lambda: queue.enqueue(1, unique_key="one"),
    "enqueue_many": lambda: queue.enqueue_many([1, 2]),
    "enqueue_many by copy": lambda: queue.enqueue_many(range(1000)),
    "dequeue": queue.dequeue,
    "dequeue_many": lambda: queue.dequeue_many(3),
    "receive": received_in_transaction,
    "receive lease": lambda: received(queue, "extend"),
    "ack": lambda: received(queue, "ack"),
    "retry": lambda: received(queue, "retry", 60),
    "release": lambda: received(queue, "release"),
    "bury": lambda: received(queue, "bury", "bad"),
    "requeue": lambda: queue.requeue([received(queue, "bury", "bad").pk]),
    "requeue dead": lambda: (received(queue, "bury", "bad"), queue.dead().requeue()),
    "discard dead": lambda: (received(queue, "bury", "bad"), queue.dead().discard()),
    "peek": queue.peek,
    "count": queue.count,
    "count state": lambda: queue.count("ready"),
    "clear": queue.clear,
}
OF_TENANTS = {
    "enqueue": lambda: tenants.enqueue(1, tenant="ada"),
    "enqueue_many": lambda: tenants.enqueue_many([1], tenant="ada"),
    "dequeue": lambda: tenants.dequeue(tenant="ada"),
    "receive lease": lambda: received(tenants, "ack"),
}


def touched(verb):
    """The tables that a verb reads or writes: each stays locked until its transaction ends."""
    with transaction.atomic(), connection.cursor() as cursor:
        verb()
        cursor.execute(TOUCHED)
        return {name for (name,) in cursor.fetchall()}


@pytest.fixture(autouse=True)
def _full():
    """Some messages in both queues, which have been used before."""
    queue.enqueue_many(range(5))
    tenants.enqueue_many(range(5), tenant="ada")


def test_a_statement_on_two_tables_is_noticed():
    assert touched(lambda: PlainQueue.objects.filter(pk__in=TenantQueue.objects.values("pk")).exists()) == {
        "testapp_plainqueue",
        "testapp_tenantqueue",
    }


@pytest.mark.parametrize("verb", VERBS.values(), ids=VERBS)
def test_a_verb_touches_its_queue_only(verb):
    assert touched(verb) == {"testapp_plainqueue"}


@pytest.mark.parametrize("verb", OF_TENANTS.values(), ids=OF_TENANTS)
def test_a_verb_with_columns_of_ones_own_touches_its_queue_only(verb):
    assert touched(verb) == {"testapp_tenantqueue"}
