"""`receive()` without a lease: the message is taken in a transaction around the block."""

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from django_tpq.main.errors import QueueEmpty
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects


@pytest.fixture
def number():
    """The id of the only message."""
    return queue.enqueue("work", priority=4)


def fail_inside(error=LookupError):
    with queue.receive():
        raise error


def test_the_block_has_the_message(number):
    with queue.receive() as message:
        assert isinstance(message, PlainQueue)
        assert (message.pk, message.body, message.priority, message.is_settled) == (number, "work", 4, True)
    assert queue.all().count() == 0


def test_outside_a_transaction_one_is_opened_for_the_block_only(number):
    with queue.receive():
        assert connection.in_atomic_block
    assert not connection.in_atomic_block


def test_an_empty_queue_is_empty_and_runs_no_block():
    with pytest.raises(QueueEmpty), queue.receive():
        raise AssertionError("there is none")


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt, GeneratorExit])
def test_an_exception_gives_the_message_back_as_it_was(number, error):
    with pytest.raises(error):
        fail_inside(error)
    back = PlainQueue.objects.get()
    assert (back.pk, back.state, back.attempt, back.claim_no) == (number, "ready", 0, 0)


def test_an_exception_undoes_what_the_block_did(number):
    def use():
        with queue.receive():
            TenantQueue.objects.enqueue(1, tenant="ada")
            raise LookupError

    with pytest.raises(LookupError):
        use()
    assert (TenantQueue.objects.count(), queue.count()) == (0, 1)


def test_a_message_that_was_given_back_keeps_its_place(number):
    queue.enqueue("next", priority=4)
    with pytest.raises(LookupError):
        fail_inside()
    assert queue.dequeue_many(2) == ["work", "next"]


def test_nobody_else_gets_the_message_meanwhile(number, in_background):
    with queue.receive(), pytest.raises(QueueEmpty):
        in_background(queue.dequeue)()


def test_inside_a_transaction_the_message_belongs_to_it(number):
    with transaction.atomic():
        with queue.receive():
            pass
        transaction.set_rollback(True)
    assert queue.dequeue() == "work"


def test_inside_a_transaction_an_exception_gives_back_by_a_savepoint(number):
    with transaction.atomic():
        TenantQueue.objects.enqueue("kept", tenant="ada")
        with pytest.raises(LookupError):
            fail_inside()
        assert queue.count() == 1
    assert (queue.count(), TenantQueue.objects.dequeue()) == (1, "kept")


def test_inside_a_transaction_a_block_may_fail_in_the_database(number):
    def use():
        with queue.receive() as message:
            PlainQueue.objects.create(state="claimed", body=message.body)

    with transaction.atomic():
        with pytest.raises(IntegrityError):
            use()
        TenantQueue.objects.enqueue("kept", tenant="ada")
    assert (queue.dequeue(), TenantQueue.objects.dequeue()) == ("work", "kept")


def test_blocks_may_stand_in_each_other(number):
    queue.enqueue("inner")
    with queue.receive() as outer:
        with pytest.raises(LookupError):
            fail_inside()
        assert outer.body == "work"
    assert queue.dequeue() == "inner"


def test_a_message_in_a_transaction_can_not_be_settled(number):
    with queue.receive() as message, pytest.raises(TypeError, match="received without lease"):
        message.ack()
    assert queue.all().count() == 0


def test_what_hangs_on_the_commit_runs_after_the_block(number):
    committed = []
    with queue.receive():
        transaction.on_commit(lambda: committed.append(queue.all().count()))
        assert committed == []
    assert committed == [0]


def test_a_message_costs_one_statement_and_its_transaction(number):
    with CaptureQueriesContext(connection) as captured, queue.receive():
        pass
    sent = [query["sql"].split("\n")[0].split()[0] for query in captured]
    assert sent == ["BEGIN", "--", "COMMIT"]


def test_a_message_that_was_taken_out_is_not_saved_back_in():
    queue.enqueue("once")
    with pytest.raises(TypeError, match="was taken out of its queue"), queue.receive() as message:
        message.save()
    with queue.receive() as message:
        assert message.body == "once"
