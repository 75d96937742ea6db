"""Taking messages out, in their order; looking at them, counting, clearing and reviving them."""

from datetime import timedelta
from queue import Empty

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import connection, transaction
from django.db.models import F

import tpq
from django_tpq.main.errors import QueueEmpty
from tests.testapp.models import PlainQueue

pytestmark = pytest.mark.django_db
queue = PlainQueue.objects
HOUR = timedelta(hours=1)


def age(**duration):
    """Let so much time pass for every message."""
    passed = timedelta(**duration)
    PlainQueue.objects.update(due_at=F("due_at") - passed, enqueued_at=F("enqueued_at") - passed)


def bury(reason="bad"):
    """Bury the next message; its id."""
    with queue.receive(lease=60) as message:
        message.bury(reason)
    return message.pk


# dequeue --------------------------------------------------------------------------------------------------


def test_what_was_enqueued_is_dequeued_once():
    queue.enqueue({"field": "value"})
    assert queue.dequeue() == {"field": "value"}
    assert PlainQueue.objects.all().count() == 0


@pytest.mark.parametrize("error", [QueueEmpty, tpq.QueueEmpty, Empty, ObjectDoesNotExist])
@pytest.mark.parametrize(
    "take", [queue.dequeue, lambda: queue.dequeue_many(5), lambda: queue.receive().__enter__()]
)
def test_an_empty_queue_is_empty(take, error):
    with pytest.raises(error, match="PlainQueue has no message that could be taken now"):
        take()


def test_equal_priorities_come_first_in_first_out():
    for body in range(10):
        queue.enqueue(body)
    assert [queue.dequeue() for _ in range(10)] == list(range(10))


def test_higher_priorities_come_first_and_each_in_its_order():
    for body, priority in enumerate([0, 5, -3, 5, 0, -3]):
        queue.enqueue(body, priority=priority)
    assert queue.dequeue_many(6) == [1, 3, 0, 4, 2, 5]


def test_a_message_that_is_not_due_is_not_taken():
    queue.enqueue("later", delay=HOUR, priority=9)
    queue.enqueue("now")
    assert queue.dequeue_many(2) == ["now"]


def test_a_message_that_has_fallen_due_is_taken_by_its_priority():
    queue.enqueue("later", delay=HOUR, priority=9)
    queue.enqueue("now")
    age(hours=2)
    assert queue.dequeue_many(2) == ["later", "now"]


@pytest.mark.parametrize(("asked", "got"), [(1, 1), (2, 2), (3, 3), (100, 3)])
def test_dequeue_many_takes_one_to_n(asked, got):
    queue.enqueue_many(range(3))
    assert queue.dequeue_many(asked) == list(range(got))
    assert queue.count() == 3 - got


@pytest.mark.parametrize("n", [0, -1])
def test_dequeue_many_takes_at_least_one(n):
    queue.enqueue(1)
    with pytest.raises(ValueError, match=f"dequeue_many\\(\\) takes at least one message, not {n}"):
        queue.dequeue_many(n)


def test_a_message_whose_lease_is_over_is_dequeued():
    queue.enqueue("slow")
    with queue.receive(lease=HOUR) as message:
        with pytest.raises(QueueEmpty):
            queue.dequeue()
        age(hours=2)
        assert queue.dequeue() == "slow"
        message._lease = None


# peek -----------------------------------------------------------------------------------------------------


def test_peek_shows_what_comes_next_and_takes_nothing():
    for body, priority in enumerate([0, 5, 0]):
        queue.enqueue(body, priority=priority)
    assert [message.body for message in queue.peek()] == [1]
    assert [message.body for message in queue.peek(9)] == [1, 0, 2]
    assert (queue.count(), queue.dequeue_many(3)) == (3, [1, 0, 2])


def test_peek_shows_whole_messages_of_the_model():
    number = queue.enqueue({"a": [1]}, priority=3, unique_key="one")
    (message,) = queue.peek()
    assert isinstance(message, PlainQueue)
    assert (message.pk, message.body, message.priority, message.unique_key) == (number, {"a": [1]}, 3, "one")
    assert (message._state.adding, message._state.db) == (False, "default")
    assert message == PlainQueue.objects.get()


def test_peek_shows_what_has_fallen_due_and_not_what_is_claimed_or_waits():
    queue.enqueue("later", delay=HOUR)
    queue.enqueue("claimed")
    with queue.receive(lease=3 * HOUR):
        assert queue.peek(5) == []
        age(hours=2)
        assert [message.body for message in queue.peek(5)] == ["later"]


@pytest.mark.django_db(transaction=True)
def test_who_peeks_locks_nothing_and_another_transaction_takes_meanwhile(in_background):
    queue.enqueue("seen")
    with transaction.atomic():
        assert [message.body for message in queue.peek()] == ["seen"]
        assert in_background(queue.dequeue)() == "seen"
    assert queue.peek() == []


@pytest.mark.django_db(transaction=True)
def test_peek_waits_for_nobody_who_takes(in_background):
    queue.enqueue("being taken")
    with transaction.atomic():
        queue.dequeue()
        assert len(in_background(queue.peek)()) == 1


# count, clear, requeue ------------------------------------------------------------------------------------


def test_count_counts_what_could_be_taken_now():
    assert queue.count() == 0
    queue.enqueue_many([1, 2, 3])
    queue.enqueue("later", delay=HOUR)
    bury()
    with queue.receive(lease=3 * HOUR):
        assert queue.count() == 1
        age(hours=2)
        assert queue.count() == 2


def test_count_counts_one_state():
    queue.enqueue_many([1, 2, 3, 4])
    queue.enqueue("later", delay=HOUR)
    bury()
    with queue.receive(lease=60):
        found = {state: queue.count(state=state) for state in tpq.State}
    assert found == {"ready": 2, "waiting": 1, "claimed": 1, "dead": 1}


def test_a_state_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="'gone' is not a valid State"):
        queue.count("gone")


def test_the_rows_of_a_queue_are_counted_by_a_queryset():
    queue.enqueue("later", delay=HOUR)
    assert (queue.count(), queue.all().count()) == (0, 1)


def test_clear_deletes_what_nobody_has_taken():
    queue.enqueue_many([1, 2, 3, 4])
    queue.enqueue("later", delay=HOUR)
    bury()
    with queue.receive(lease=60) as message:
        assert (queue.clear(), queue.clear()) == (3, 0)
        assert [queue.count("claimed"), queue.count("dead"), queue.all().count()] == [1, 1, 2]
        message.ack()


@pytest.mark.django_db(transaction=True)
def test_clear_leaves_what_somebody_is_taking_right_now(in_background):
    queue.enqueue_many([1, 2, 3])
    with transaction.atomic():
        assert queue.dequeue() == 1
        assert in_background(queue.clear)() == 2
        transaction.set_rollback(True)
    assert queue.dequeue() == 1


def test_requeue_revives_dead_letters_behind_the_others():
    queue.enqueue_many(["bad", "next"])
    dead = bury()
    assert queue.requeue([dead, dead + 1, 10**9]) == {dead}
    revived = PlainQueue.objects.get(pk=dead)
    assert (revived.state, revived.attempt, revived.deliveries) == ("ready", 0, 0)
    assert queue.dequeue_many(2) == ["next", "bad"]


def test_requeue_takes_what_a_queryset_gives():
    queue.enqueue("bad")
    dead = bury()
    assert queue.requeue(PlainQueue.objects.filter(state="dead").values_list("pk", flat=True)) == {dead}


def test_the_verbs_ask_nothing_but_their_one_statement(django_assert_num_queries):
    queue.enqueue_many([1, 2, 3])
    for verb in (queue.dequeue, queue.peek, queue.count, queue.clear):
        with django_assert_num_queries(1, connection=connection):
            verb()
