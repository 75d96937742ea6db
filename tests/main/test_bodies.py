"""Any JSON value comes back equal through the manager; what `jsonb` can not keep is refused with its place."""

import datetime

import pytest
from hypothesis import HealthCheck, given, settings

from django_tpq.main.managers import COPY_FROM
from tests.core.test_message import nested, same, values
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db
queue = PlainQueue.objects
fixed = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def received(**options):
    with queue.receive(**options) as message:
        return message.body


def peeked():
    body = queue.peek()[0].body
    queue.clear()
    return body


OUT = {
    "dequeue": queue.dequeue,
    "dequeue_many": lambda: queue.dequeue_many(1)[0],
    "receive": received,
    "receive lease": lambda: received(lease=60),
    "peek": peeked,
}


@fixed
@given(values)
def test_any_json_value_comes_back_equal_by_every_door_out(body):
    for take in OUT.values():
        queue.enqueue(body)
        assert same(take(), body)


@fixed
@given(values)
def test_any_json_value_comes_back_equal_from_an_insert_of_many(body):
    queue.enqueue_many([body, [body]])
    one, two = queue.dequeue_many(2)
    assert (same(one, body), same(two, [body])) == (True, True)


@fixed
@given(values)
def test_any_json_value_comes_back_equal_from_a_copy(body):
    TenantQueue.objects.enqueue_many([body, {"a": body}], tenant="ada")
    one, two = TenantQueue.objects.dequeue_many(2)
    assert (same(one, body), same(two, {"a": body})) == (True, True)


@pytest.mark.parametrize(
    "body", [{}, [], "", 0, False, None, "\\N", "\t\n\\.", "%s %%", "{}", "'\"", "\x01\u2028🐘"]
)
def test_bodies_that_look_like_something_else_come_back(body):
    queue.enqueue(body)
    queue.enqueue_many([body])
    queue.enqueue_many([body] * COPY_FROM)
    assert all(same(taken, body) for taken in queue.dequeue_many(COPY_FROM + 2))


@pytest.mark.parametrize(
    "enqueue", [queue.enqueue, lambda body: queue.enqueue_many([1, body])], ids=["one", "many"]
)
@pytest.mark.parametrize(
    ("body", "error", "said"),
    [
        ({"a": [0, float("nan")]}, ValueError, r"body\.a\[1\]: nan is not JSON"),
        ([float("-inf")], ValueError, r"body\[0\]: -inf is not JSON"),
        ({"a": {"b": "x\0y"}}, ValueError, r"body\.a\.b: PostgreSQL can not store a NUL"),
        ({"k\0": 1}, ValueError, r"key 'k\\x00' of body: PostgreSQL can not store a NUL"),
        (["\ud800"], ValueError, r"body\[0\]: a lone surrogate"),
        ({"a": {1: 2}}, TypeError, r"body\.a: an object key must be a string, not 1"),
        ({"a": [{1, 2}]}, TypeError, r"body\.a\[0\]: a set is not JSON"),
        ({"a": [[object()]]}, TypeError, r"body\.a\[0\]\[0\]: a object is not JSON"),
        ({"at": datetime.date(2020, 1, 1)}, TypeError, r"body\.at: a date is not JSON"),
        (nested(100_000), ValueError, "nested deeper than 500"),
        (nested(100_000, kind="dict"), ValueError, "nested deeper than 500"),
    ],
    ids=["nan", "inf", "NUL", "NUL key", "surrogate", "key", "set", "object", "date", "lists", "objects"],
)
def test_what_can_not_be_kept_is_refused_before_the_server_sees_it(
    enqueue, body, error, said, django_assert_num_queries
):
    with django_assert_num_queries(0), pytest.raises(error, match=said):
        enqueue(body)


def test_a_body_of_ten_megabytes_comes_back():
    body = {"text": "x" * 10_000_000}
    queue.enqueue(body)
    queue.enqueue_many([body])
    assert queue.dequeue_many(2) == [body, body]
