"""Columns of one's own: set by every door in, asked for by every door out."""

import datetime
import uuid

import pytest
from django.db import DataError, IntegrityError, connection, models, transaction
from django.db.models.functions import Now
from django.test.utils import isolate_apps
from django.utils.timezone import now

from django_tpq.main.errors import QueueEmpty
from django_tpq.main.managers import COPY_FROM
from django_tpq.main.models import BaseQueue
from django_tpq.main.operations import InstallQueue
from tests.testapp.models import PlainQueue, TenantQueue
from tpq import schema

pytestmark = pytest.mark.django_db
queue = TenantQueue.objects

IN = {
    "enqueue": lambda queue, **columns: queue.enqueue("body", **columns),
    "enqueue delayed": lambda queue, **columns: queue.enqueue("body", delay=0.001, **columns),
    "enqueue unique": lambda queue, **columns: queue.enqueue("body", unique_key="key", **columns),
    "enqueue_many": lambda queue, **columns: queue.enqueue_many(["body"], **columns)[0],
    "enqueue_many delayed": lambda queue, **columns: queue.enqueue_many(["body"], delay=0.001, **columns)[0],
}
doors_in = pytest.mark.parametrize("enqueue", IN.values(), ids=IN)


def received(**columns):
    with queue.receive(**columns) as message:
        return message.body


OUT = {
    "dequeue": queue.dequeue,
    "dequeue_many": lambda **columns: queue.dequeue_many(1, **columns)[0],
    "receive": received,
    "receive lease": lambda **columns: received(lease=60, **columns),
}
doors_out = pytest.mark.parametrize("take", OUT.values(), ids=OUT)


@pytest.fixture
def order_queue():
    """A queue with columns of many kinds, which lives as long as the test's transaction."""
    with isolate_apps("tests.testapp"):

        class OrderQueue(BaseQueue):
            answer_to = models.ForeignKey("self", models.CASCADE, null=True)
            due = models.DateField()
            number = models.IntegerField()
            renamed = models.TextField(default="x", db_column="Other Name")
            postponed = models.IntegerField(null=True, db_column="delay")
            made_at = models.DateTimeField(auto_now_add=True)
            stamp = models.DateTimeField(db_default=Now())
            raw = models.BinaryField(default=b"\0\1")
            double = models.GeneratedField(
                expression=models.F("number") * 2, output_field=models.IntegerField(), db_persist=True
            )

            class Meta:
                app_label = "testapp"

        with connection.schema_editor() as editor:
            editor.create_model(OrderQueue)
            for statement in InstallQueue("OrderQueue", schema.VERSION).statements(
                "testapp_orderqueue", undo=False
            ):
                editor.execute(statement)
        yield OrderQueue.objects


# In -------------------------------------------------------------------------------------------------------


@doors_in
def test_values_and_defaults_are_set_by_every_door_in(enqueue):
    message = TenantQueue.objects.get(pk=enqueue(queue, tenant="ada", note={"a": [1, None]}))
    assert (message.body, message.tenant, message.note) == ("body", "ada", {"a": [1, None]})
    assert isinstance(message.ticket, uuid.UUID)  # a default of Python's
    assert message.weight == 7  # a default of the database's


@doors_in
def test_given_values_stand_above_defaults(enqueue):
    ticket = uuid.uuid4()
    message = TenantQueue.objects.get(pk=enqueue(queue, tenant="ada", ticket=ticket, weight=1))
    assert (message.ticket, message.weight, message.note) == (ticket, 1, None)


def test_a_default_of_python_is_drawn_for_each_message():
    for count in (3, COPY_FROM):
        ids = queue.enqueue_many(range(count), tenant="ada")
        tickets = set(TenantQueue.objects.filter(pk__in=ids).values_list("ticket", flat=True))
        assert len(tickets) == count


def test_ids_are_in_the_order_of_the_bodies_with_columns_of_ones_own_too():
    ids = queue.enqueue_many(range(20), tenant="ada")
    assert ids == sorted(ids)
    assert list(TenantQueue.objects.order_by("pk").values_list("body", flat=True)) == list(range(20))
    assert queue.dequeue_many(20) == list(range(20))


@doors_in
def test_a_column_that_may_not_be_null_is_asked_for(enqueue):
    with pytest.raises(TypeError, match="TenantQueue needs tenant=…: that column may not be NULL"):
        enqueue(queue, tenant=None)
    assert queue.all().count() == 0


@doors_in
def test_an_unknown_column_is_a_clear_error(enqueue):
    with pytest.raises(
        TypeError, match=r"TenantQueue has no column landlord of its own \(it has: note, tenant, "
    ):
        enqueue(queue, landlord="ada")
    with pytest.raises(TypeError, match=r"PlainQueue has no column tenant of its own \(it has: none\)"):
        enqueue(PlainQueue.objects, tenant="ada")


@pytest.mark.parametrize("name", ["state", "due_at", "claim_no", "claimed_by", "id", "seq"])
def test_a_standard_column_is_none_of_ones_own(name):
    for verb in (lambda **columns: queue.enqueue(1, **columns), queue.dequeue, queue.peek):
        with pytest.raises(TypeError, match=f"TenantQueue has no column {name} of its own"):
            verb(**{name: 1})


@doors_in
def test_a_value_that_the_server_refuses_is_django_s_own_error(enqueue):
    with pytest.raises(DataError, match="too long"), transaction.atomic():
        enqueue(queue, tenant="x" * 51)
    assert queue.all().count() == 0


@doors_in
def test_columns_of_any_kind_are_set_by_every_door(order_queue, enqueue):
    first = order_queue.enqueue("first", number=1, due=datetime.date(2030, 1, 1))
    question = order_queue.get(pk=first)
    answer = order_queue.get(
        pk=enqueue(order_queue, number=21, due=datetime.date(2031, 1, 1), answer_to=question, postponed=3)
    )
    assert (answer.answer_to, answer.number, answer.double, answer.postponed) == (question, 21, 42, 3)
    assert (answer.due, answer.renamed, bytes(answer.raw)) == (datetime.date(2031, 1, 1), "x", b"\0\1")
    assert (answer.made_at - now() < datetime.timedelta(minutes=1), answer.stamp is not None) == (True, True)


@doors_in
def test_a_required_column_of_any_kind_is_asked_for(order_queue, enqueue):
    with pytest.raises(TypeError, match="OrderQueue needs due=…"):
        enqueue(order_queue, number=1)


@doors_in
def test_a_foreign_key_that_leads_nowhere_is_refused(order_queue, enqueue):
    def enqueue_and_check():
        enqueue(order_queue, number=1, due=datetime.date(2030, 1, 1), answer_to_id=10**9)
        connection.check_constraints()

    with pytest.raises(IntegrityError), transaction.atomic():
        enqueue_and_check()


# Out ------------------------------------------------------------------------------------------------------


@doors_out
def test_one_takes_by_a_column_of_ones_own_by_every_door_out(take):
    queue.enqueue(1, tenant="ada")
    queue.enqueue(2, tenant="bob")
    queue.enqueue(3, tenant="bob", priority=5)
    assert [take(tenant="bob"), take(tenant="bob"), take(tenant="ada")] == [3, 2, 1]
    with pytest.raises(QueueEmpty):
        take(tenant="ada")


@doors_out
def test_several_columns_must_all_fit(take):
    queue.enqueue(1, tenant="ada", weight=1)
    queue.enqueue(2, tenant="bob", weight=2)
    queue.enqueue(3, tenant="ada", weight=2)
    assert take(tenant="ada", weight=2) == 3


@doors_out
@pytest.mark.parametrize("note", [{"a": 1}, [1, 2], "text", 0, False, None])
def test_a_json_column_is_asked_for_by_its_value(take, note):
    queue.enqueue("other", tenant="ada", note={"other": 1})
    queue.enqueue("wanted", tenant="ada", note=note)
    assert take(note=note) == "wanted"


@doors_out
def test_an_unknown_column_is_a_clear_error_when_taking_too(take):
    queue.enqueue(1, tenant="ada")
    with pytest.raises(TypeError, match="TenantQueue has no column landlord of its own"):
        take(landlord="ada")


@doors_out
def test_a_delayed_message_is_taken_by_its_column_when_it_is_due(take):
    queue.enqueue("other", tenant="ada")
    queue.enqueue("due", tenant="bob", delay=60)
    TenantQueue.objects.filter(tenant="bob").update(due_at=now())
    assert take(tenant="bob") == "due"


def test_a_due_message_is_received_behind_any_number_of_others():
    queue.enqueue_many(range(501), tenant="ada", delay=60)
    queue.enqueue("mine", tenant="bob", delay=60)
    TenantQueue.objects.filter(tenant="ada").update(due_at=now() - datetime.timedelta(hours=1))
    TenantQueue.objects.filter(tenant="bob").update(due_at=now())
    assert received(lease=60, tenant="bob") == "mine"


def test_one_looks_counts_and_clears_by_a_column_of_ones_own():
    queue.enqueue_many([1, 2], tenant="ada")
    queue.enqueue(3, tenant="bob")
    queue.enqueue(4, tenant="bob", delay=60)
    assert [message.body for message in queue.peek(9, tenant="bob")] == [3]
    assert (queue.count(tenant="bob"), queue.count("waiting", tenant="bob")) == (1, 1)
    assert (queue.clear(tenant="bob"), queue.count()) == (2, 2)


def test_a_message_brings_its_own_columns():
    ticket = uuid.uuid4()
    queue.enqueue(1, tenant="ada", ticket=ticket, note=[None])
    (seen,) = queue.peek()
    with queue.receive() as message:
        assert (message.tenant, message.ticket, message.note, message.weight) == ("ada", ticket, [None], 7)
        assert seen == message


def test_one_takes_by_columns_of_any_kind(order_queue):
    day = datetime.date(2030, 1, 1)
    first = order_queue.enqueue("first", number=1, due=day)
    order_queue.enqueue("answer", number=2, due=day, answer_to_id=first, renamed="y", raw=b"\2")
    question = order_queue.get(pk=first)
    for wanted in (
        {"answer_to": question},
        {"answer_to_id": first},
        {"renamed": "y"},
        {"raw": b"\2"},
        {"number": 2},
    ):
        assert [message.body for message in order_queue.peek(9, **wanted)] == ["answer"]
    assert order_queue.dequeue(due=day, answer_to=question) == "answer"
    assert order_queue.dequeue(due=day, answer_to=None) == "first"
