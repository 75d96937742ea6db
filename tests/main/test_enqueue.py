"""Putting messages in: one or many, now or later, by INSERT or COPY."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.timezone import now

from django_tpq.main.managers import COPY_FROM
from tests.testapp.models import PlainQueue

pytestmark = pytest.mark.django_db
queue = PlainQueue.objects
HOUR = timedelta(hours=1)
BY_INSERT, BY_COPY = COPY_FROM - 1, COPY_FROM
ways = pytest.mark.parametrize("count", [1, BY_INSERT, BY_COPY], ids=["one", "insert", "copy"])


def statements(enqueue):
    """The statements that a function runs."""
    with CaptureQueriesContext(
        connection,
    ) as captured:
        enqueue()
    return [query["sql"] for query in captured.captured_queries]


def test_a_message_has_an_id_and_is_ready():
    number = queue.enqueue({"field": "value"})
    message = PlainQueue.objects.get()
    assert (message.pk, message.body, message.state, message.priority) == (
        number,
        {"field": "value"},
        "ready",
        0,
    )
    assert (message.due_at, message.claim_no, message.attempt, message.max_attempts) == (None, 0, 0, 1)
    assert message.enqueued_at <= now()


def test_enqueueing_is_one_statement():
    queue.count()
    assert len(statements(lambda: queue.enqueue(1))) == 1
    assert len(statements(lambda: queue.enqueue_many(range(BY_INSERT)))) == 1


def test_from_some_number_on_many_go_by_copy():
    sent = statements(lambda: queue.enqueue_many(range(BY_COPY)))
    assert any("COPY" in statement for statement in sent)


@ways
def test_many_have_their_ids_in_the_order_of_their_bodies(count):
    before = queue.enqueue("before")
    ids = queue.enqueue_many(f"body {n}" for n in range(count))
    assert (len(ids), ids, ids[0] > before) == (count, sorted(set(ids)), True)
    bodies = dict(PlainQueue.objects.values_list("pk", "body"))
    assert [bodies[number] for number in ids] == [f"body {n}" for n in range(count)]


@ways
def test_many_come_out_in_the_order_they_went_in(count):
    queue.enqueue_many(range(count))
    queue.enqueue("behind")
    assert queue.dequeue_many(count + 1) == [*range(count), "behind"]


def test_none_at_all_are_no_messages_and_no_statement():
    assert statements(lambda: queue.enqueue_many([])) == []
    assert queue.enqueue_many(iter([])) == []


@ways
def test_many_share_a_priority_and_a_delay(count):
    queue.enqueue_many(range(count), priority=-5, delay=HOUR)
    found = list(PlainQueue.objects.values_list("priority", "state", "due_at"))
    assert {(priority, state) for priority, state, _ in found} == {(-5, "waiting")}
    assert all(now() + 0.9 * HOUR < due_at < now() + 1.1 * HOUR for _, _, due_at in found)


@ways
def test_one_bad_body_among_many_refuses_all_of_them(count):
    with pytest.raises(ValueError, match=r"body\.x: nan is not JSON"):
        queue.enqueue_many([*range(count), {"x": float("nan")}])
    assert queue.all().count() == 0


@pytest.mark.parametrize("priority", [-32768, 0, 32767])
def test_a_priority_may_be_as_high_or_low_as_its_column_allows(priority):
    queue.enqueue(1, priority=priority)
    queue.enqueue_many([1], priority=priority)
    assert set(PlainQueue.objects.values_list("priority", flat=True)) == {priority}


@pytest.mark.parametrize("priority", [32768, -32769, 1.5, "1", None])
def test_any_other_priority_is_refused_before_the_server_sees_it(priority):
    for enqueue in (
        lambda: queue.enqueue(1, priority=priority),
        lambda: queue.enqueue_many([1], priority=priority),
    ):
        with pytest.raises(ValueError, match="priority must be a whole number from -32768 to 32767"):
            enqueue()
    assert queue.all().count() == 0


@pytest.mark.parametrize("delay", [HOUR, 3600, 3600.0])
def test_a_delayed_message_waits(delay):
    number = queue.enqueue("later", delay=delay)
    message = PlainQueue.objects.get(pk=number)
    assert (message.state, queue.count(), queue.count("waiting")) == ("waiting", 0, 1)
    assert now() + 0.9 * HOUR < message.due_at < now() + 1.1 * HOUR


@pytest.mark.parametrize("delay", [None, 0, -5, timedelta(0), -HOUR])
def test_without_a_delay_ahead_a_message_is_ready(delay):
    queue.enqueue("now", delay=delay)
    queue.enqueue_many(["now"], delay=delay)
    assert queue.count("ready") == 2


def test_a_unique_key_that_a_living_message_has_refuses_another():
    number = queue.enqueue("first", unique_key="only one")
    assert isinstance(number, int)
    assert queue.enqueue("second", unique_key="only one") is None
    assert isinstance(queue.enqueue("third", unique_key="another"), int)
    assert queue.dequeue_many(3) == ["first", "third"]


def test_a_unique_key_is_free_again_when_its_message_is_gone():
    queue.enqueue("first", unique_key="only one")
    queue.dequeue()
    assert queue.enqueue("second", unique_key="only one")


def test_a_dead_letter_keeps_no_unique_key_and_is_not_revived_beside_a_twin():
    dead = queue.enqueue("first", unique_key="only one")
    with queue.receive(lease=60) as message:
        assert queue.enqueue("too early", unique_key="only one") is None
        message.bury("bad")
    twin = queue.enqueue("second", unique_key="only one")
    assert (isinstance(twin, int), queue.requeue([dead])) == (True, set())


def test_a_unique_key_is_refused_while_its_message_waits():
    queue.enqueue("later", unique_key="only one", delay=HOUR)
    assert queue.enqueue("now", unique_key="only one") is None


def test_a_refused_twin_leaves_the_transaction_usable():
    queue.enqueue("first", unique_key="only one")
    queue.enqueue("second", unique_key="only one")
    assert queue.enqueue("third") is not None


@pytest.mark.parametrize("delay", ["soon", True, float("nan"), 1e30])
def test_what_is_no_duration_is_refused_in_words(delay):
    with pytest.raises((TypeError, ValueError), match="duration"):
        PlainQueue.objects.enqueue(1, delay=delay)


def test_a_truth_value_is_no_priority():
    with pytest.raises(ValueError, match="priority"):
        PlainQueue.objects.enqueue(1, priority=True)


def test_a_body_beyond_what_postgresql_keeps_is_refused_before_it_is_sent():
    with pytest.raises(ValueError, match="more than PostgreSQL keeps"):
        PlainQueue.objects.enqueue("x" * 2**28)
