"""The door in: what `.delay()` writes, and what it refuses before anything is written."""

import threading
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.utils import timezone

from django_tpq.futures import task
from django_tpq.futures.models import CallQueue
from django_tpq.futures.signals import task_enqueued
from tests.testapp import tasks, trouble
from tests.testapp.models import MailQueue

pytestmark = pytest.mark.django_db


def row():
    return CallQueue.objects.get()


def test_a_call_is_a_row_that_is_ready():
    future = tasks.add.delay(1, b=2)
    assert (row().state, row().task, row().priority) == ("ready", "tests.testapp.tasks.add", 0)
    assert future.id.endswith(row().token)


def test_a_call_belongs_to_the_callers_transaction():
    with transaction.atomic():
        tasks.add.delay(1, 2)
        tasks.add.delay_many([(1, 2)] * 600)
        transaction.set_rollback(True)
    assert CallQueue.objects.count() == 0


def test_a_call_goes_to_the_queue_of_its_task():
    tasks.mail.delay("ada")
    assert MailQueue.objects.get().priority == 3
    assert not CallQueue.objects.exists()


def test_a_call_goes_to_the_queue_it_is_sent_to():
    tasks.add.using(queue="mail").delay(1, 2)
    assert MailQueue.objects.get().task == "tests.testapp.tasks.add"


def test_a_queues_own_columns_get_their_defaults_by_both_doors():
    tasks.mail.delay("ada")
    tasks.mail.delay_many([("bob",), ("cid",)])
    rows = MailQueue.objects.all()
    assert len({row.envelope for row in rows}) == 3
    assert {bytes(row.payload)[32:38] for row in rows} == {b"pickle"}


def test_priority_deliveries_and_delay_can_be_chosen():
    tasks.add.using(priority=7, max_deliveries=1, delay=3600).delay(1, 2)
    assert (row().priority, row().max_deliveries, row().state) == (7, 1, "waiting")
    assert timedelta(minutes=59) < row().due_at - timezone.now() <= timedelta(minutes=60)


@pytest.mark.parametrize("delay", [None, 0, 0.0, timedelta(0)])
def test_no_delay_is_no_wait(delay):
    tasks.add.using(delay=delay).delay(1, 2)
    assert row().state == "ready"


def test_the_deliveries_are_three_unless_told():
    tasks.add.delay(1, 2)
    assert row().max_deliveries == 3


@pytest.mark.parametrize("number", [1, 3, 600])
def test_many_calls_are_sent_in_one_go_and_their_futures_are_in_order(number):
    futures = tasks.add.using(priority=2, delay=60).delay_many((i, i) for i in range(number))
    rows = list(CallQueue.objects.order_by("seq"))
    assert [f.id.rpartition(":")[2] for f in futures] == [r.token for r in rows]
    assert {(r.priority, r.state) for r in rows} == {(2, "waiting")}


def test_many_calls_may_be_tuples_and_dicts(by_hand):
    futures = tasks.echo.delay_many([(1, 2), {"a": 3}, (), {}])
    by_hand.work()
    assert [f.result() for f in futures] == [((1, 2), {}), ((), {"a": 3}), ((), {}), ((), {})]


def test_no_calls_are_no_futures():
    assert tasks.add.delay_many([]) == []


@pytest.mark.parametrize("wrong", [3, "ab", [1, 2], None, {1, 2}])
def test_what_is_neither_tuple_nor_dict_is_refused_with_its_place(wrong):
    with pytest.raises(TypeError, match=r"task tests.testapp.tasks.add, call 2: give a tuple .* not a "):
        tasks.add.delay_many([(1, 1), (2, 2), wrong])
    assert not CallQueue.objects.exists()


@pytest.mark.parametrize(
    ("args", "kwargs", "named"),
    [
        ((1, lambda: None), {}, r"argument 2 \(a function\)"),
        ((), {"a": 1, "lock": threading.Lock()}, r"argument 'lock' \(a lock\)"),
        (
            (trouble.Unwritable(OSError),),
            {},
            r"argument 1 \(a Unwritable\) can not be written as pickle: not to be",
        ),
        (([{"deep": (x for x in "x")}],), {}, r"argument 1 \(a list\)"),
    ],
)
def test_an_argument_that_can_not_be_pickled_is_named_and_nothing_is_sent(args, kwargs, named):
    for send in (
        lambda: tasks.echo.delay(*args, **kwargs),
        lambda: tasks.echo.delay_many([(1,), args or kwargs]),
        lambda: async_to_sync(tasks.echo.adelay)(*args, **kwargs),
    ):
        with pytest.raises(TypeError, match=f"task tests.testapp.tasks.echo: {named}"):
            send()
    assert not CallQueue.objects.exists()


@pytest.mark.parametrize("value", [{1, 2}, b"bytes", float("nan"), float("inf"), object()])
def test_an_argument_that_is_no_json_is_named_and_nothing_is_sent(value):
    with pytest.raises(TypeError, match=r"argument 'a' .* can not be written as json"):
        tasks.echo.using(codec="json").delay(1, a=value)
    assert not CallQueue.objects.exists()


def deep(levels):
    nested = []
    for _ in range(levels):
        nested = [nested]
    return nested


@pytest.mark.parametrize("codec", ["pickle", "json"])
def test_an_argument_that_is_nested_too_deep_is_named_and_nothing_is_sent(codec):
    with pytest.raises(TypeError, match=r"argument 1 \(a list\)"):
        tasks.echo.using(codec=codec).delay(deep(100_000))
    assert not CallQueue.objects.exists()


def test_json_arguments_go_there_and_back_as_json(by_hand):
    future = tasks.echo.using(codec="json").delay(1, "ä\0\ud800", a={"b": [None, True, 1.5]})
    payload = bytes(row().payload)
    assert payload[32:].startswith(b'json\0[[1,"')
    by_hand.work()
    assert future.result() == [[1, "ä\0\ud800"], {"a": {"b": [None, True, 1.5]}}]


def test_the_codec_of_the_setting_is_used_unless_a_task_has_its_own(settings):
    settings.TPQ_CODEC = "json"
    tasks.add.delay(1, 2)
    tasks.add.using(codec="pickle").delay(1, 2)
    codecs = [bytes(r.payload)[32:].partition(b"\0")[0] for r in CallQueue.objects.order_by("seq")]
    assert codecs == [b"json", b"pickle"]


def test_a_codec_of_the_setting_that_is_not_there_is_an_error_that_names_it(settings):
    settings.TPQ_CODEC = "xml"
    with pytest.raises(ValueError, match="there is no codec 'xml'; there are json, pickle"):
        tasks.add.delay(1, 2)


def test_a_queue_that_is_not_there_is_an_error_that_names_it_and_those_there_are():
    with pytest.raises(
        ImproperlyConfigured, match=r"no call queue 'nowhere' in TPQ_QUEUES \(it has: default, mail\)"
    ):
        tasks.add.using(queue="nowhere").delay(1, 2)


def test_ten_megabytes_are_sent_and_come_back(by_hand):
    big = b"x" * 10_000_000
    future = tasks.echo.delay(big)
    by_hand.work()
    assert future.result() == ((big,), {})


def test_a_task_of_the_script_that_runs_is_refused():
    scope = {"__name__": "__main__", "task": task}
    exec("def script(): pass\nmade = task(script)", scope)
    with pytest.raises(TypeError, match=r"__main__\.script is defined in a script or shell"):
        scope["made"].delay()


def test_sending_is_told_by_a_signal_with_the_futures_id():
    told = []

    def listen(sender, task, call, **_):
        told.append((task, call))

    task_enqueued.connect(listen)
    try:
        futures = [tasks.add.delay(1, 2), *tasks.add.delay_many([(3, 4), (5, 6)])]
    finally:
        task_enqueued.disconnect(listen)
    assert told == [("tests.testapp.tasks.add", future.id) for future in futures]


def test_the_async_twins_send_too():
    future = async_to_sync(tasks.add.adelay)(1, b=2)
    (other,) = async_to_sync(tasks.add.adelay_many)([(1, 2)])
    assert set(CallQueue.objects.values_list("token", flat=True)) == {
        f.id.rpartition(":")[2] for f in (future, other)
    }
