"""Enqueue and dequeue belong to the caller's transaction."""

import pytest
from django.db import NotSupportedError, OperationalError, connection, transaction

from django_tpq.main.errors import QueueEmpty
from django_tpq.main.managers import COPY_FROM
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects


@pytest.mark.parametrize(
    "enqueue",
    [
        lambda: queue.enqueue(1),
        lambda: queue.enqueue_many([1, 2]),
        lambda: queue.enqueue_many(range(COPY_FROM)),
        lambda: TenantQueue.objects.enqueue_many([1, 2], tenant="ada"),
    ],
    ids=["one", "insert", "copy", "own columns"],
)
def test_what_was_enqueued_rolls_back_with_the_caller(enqueue):
    with transaction.atomic():
        enqueue()
        transaction.set_rollback(True)
    assert (queue.all().count(), TenantQueue.objects.all().count()) == (0, 0)


@pytest.mark.parametrize("count", [1, 2, COPY_FROM])
def test_nobody_sees_what_is_not_committed(in_background, count):
    with transaction.atomic():
        queue.enqueue_many(range(count))
        assert queue.count() == count
        assert in_background(queue.count)() == 0
    assert in_background(queue.count)() == count


@pytest.mark.parametrize(
    "take", [lambda: [queue.dequeue()], lambda: queue.dequeue_many(1)], ids=["one", "many"]
)
def test_what_was_dequeued_comes_back_with_a_rollback_to_its_place(take):
    queue.enqueue_many(["first", "second"])
    with transaction.atomic():
        assert take() == ["first"]
        transaction.set_rollback(True)
    assert queue.dequeue_many(2) == ["first", "second"]


def test_a_savepoint_gives_back_what_was_dequeued_behind_it():
    queue.enqueue_many(["first", "second", "third"])
    with transaction.atomic():
        assert queue.dequeue() == "first"
        with transaction.atomic():
            assert queue.dequeue() == "second"
            transaction.set_rollback(True)
        assert queue.dequeue() == "second"
    assert queue.dequeue_many(9) == ["third"]


def test_others_pass_by_what_is_taken_and_not_committed(in_background):
    queue.enqueue_many(["first", "second"])
    with transaction.atomic():
        assert queue.dequeue() == "first"
        assert in_background(queue.dequeue)() == "second"
        with pytest.raises(QueueEmpty):
            in_background(queue.dequeue)()
        transaction.set_rollback(True)
    assert queue.dequeue() == "first"


def test_a_due_message_that_is_taken_locks_no_other(in_background):
    queue.enqueue_many(["first", "second"], delay=0.001)
    with transaction.atomic():
        assert queue.dequeue(wait=5) == "first"
        assert in_background(lambda: queue.dequeue(wait=5))() == "second"


def test_a_due_message_that_is_received_on_a_lease_locks_no_other(in_background):
    queue.enqueue_many(["first", "second"], delay=0.001)
    with transaction.atomic(), queue.receive(wait=5, lease=60) as message:
        assert message.body == "first"
        assert in_background(lambda: queue.dequeue(wait=5))() == "second"


def test_one_transaction_moves_a_message_from_queue_to_queue():
    queue.enqueue("moved")
    for commits in (False, True):
        with transaction.atomic():
            TenantQueue.objects.enqueue(queue.dequeue(), tenant="ada")
            transaction.set_rollback(not commits)
        assert (queue.count(), TenantQueue.objects.count()) == ((0, 1) if commits else (1, 0))


@pytest.mark.parametrize(
    "take", [queue.dequeue, lambda: queue.dequeue_many(5), lambda: queue.receive().__enter__()]
)
def test_an_empty_queue_leaves_the_transaction_usable(take):
    with transaction.atomic():
        with pytest.raises(QueueEmpty):
            take()
        queue.enqueue("kept")
    assert queue.dequeue() == "kept"


def test_clear_and_requeue_belong_to_the_caller_too():
    queue.enqueue_many(["dead", "ready"])
    with queue.receive(lease=60) as message:
        message.bury("bad")
    with transaction.atomic():
        queue.clear()
        queue.requeue([message.pk])
        transaction.set_rollback(True)
    assert (queue.count("ready"), queue.count("dead")) == (1, 1)


# REPEATABLE READ ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "take",
    [
        queue.dequeue,
        lambda: queue.dequeue_many(2),
        lambda: queue.receive().__enter__(),
        lambda: queue.receive(lease=60).__enter__(),
    ],
    ids=["dequeue", "dequeue_many", "receive", "receive lease"],
)
def test_in_repeatable_read_a_message_that_another_took_is_an_error_with_a_hint(in_background, take):
    def use():
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            assert queue.count() == 1
            assert in_background(queue.dequeue)() == "work"
            take()

    queue.enqueue("work")
    with pytest.raises(OperationalError) as raised:
        use()
    assert "Take messages in READ COMMITTED" in raised.value.__notes__[0]


@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_waiting_where_nothing_new_can_be_seen_is_refused(level):
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
        with pytest.raises(NotSupportedError, match=f"inside a {level} transaction is in vain"):
            queue.dequeue(wait=0)
