"""`Task`: what was counted and what runs, read with the ORM; counts from many at once."""

import threading
import time
from datetime import timedelta

import pytest
from django.db.models import Avg, F, Sum
from django.utils import timezone

from django_tpq.futures.models import Tally as Counted
from django_tpq.futures.models import Task
from django_tpq.main.connections import connect
from django_tpq.main.models import Consumer
from tests.testapp import tasks
from tpq.tally import Tally

pytestmark = pytest.mark.django_db(transaction=True)


def figures():
    return {t.name: (t.running, t.total, t.failures) for t in Task.objects.all()}


@pytest.fixture
def consumer():
    """A consumer that runs something; its heart beats now."""

    def consumer(running, **columns):
        return Consumer.objects.create(
            host="here", pid=1, version="1", queues=["default"], running=running, **columns
        )

    return consumer


@pytest.fixture
def three():
    """Three tasks with a past."""
    now = timezone.now()
    for number, name in enumerate(["a.one", "a.two", "b.three"], 1):
        seen = now - timedelta(hours=number)
        Counted.objects.create(
            name=name,
            total=number * 10,
            failures=number - 1,
            first_seen=seen,
            last_seen=seen + timedelta(minutes=5),
        )


def test_what_was_run_is_counted(by_hand):
    began = timezone.now()
    tasks.add.delay_many([(1, 2)] * 5)
    tasks.fail.delay("boo")
    by_hand.work()
    by_hand.tally.flush(by_hand.connection)
    assert figures() == {"tests.testapp.tasks.add": (0, 5, 0), "tests.testapp.tasks.fail": (0, 1, 1)}
    row = Task.objects.get(name__endswith="add")
    assert began - timedelta(seconds=1) <= row.first_seen <= row.last_seen <= timezone.now()


def test_tasks_are_filtered_and_ordered(three):
    assert [t.name for t in Task.objects.order_by("-total")] == ["b.three", "a.two", "a.one"]
    assert [t.name for t in Task.objects.filter(failures__gt=0).order_by("name")] == ["a.two", "b.three"]
    assert Task.objects.filter(name__startswith="a.").count() == 2
    assert Task.objects.filter(last_seen__lt=timezone.now() - timedelta(minutes=100)).count() == 2
    assert [t.name for t in Task.objects.order_by("last_seen")[:1]] == ["b.three"]
    assert Task.objects.get(pk="a.one").total == 10
    assert list(Task.objects.exclude(name="a.one").order_by("name").values_list("total", flat=True)) == [
        20,
        30,
    ]


def test_tasks_are_aggregated(three):
    sums = Task.objects.aggregate(all=Sum("total"), mean=Avg("total"), bad=Sum("failures"))
    assert sums == {"all": 60, "mean": 20, "bad": 3}
    rate = Task.objects.annotate(rate=F("failures") * 100 / F("total")).get(name="b.three").rate
    assert rate == 6


def test_what_runs_is_the_sum_over_living_executors(three, consumer):
    consumer({"a.one": 2})
    consumer({"a.one": 1, "new.task": 4})
    assert figures() == {
        "a.one": (3, 10, 0),
        "a.two": (0, 20, 1),
        "b.three": (0, 30, 2),
        "new.task": (4, 0, 0),
    }
    fresh = Task.objects.get(name="new.task")
    assert fresh.first_seen is fresh.last_seen is None
    assert Task.objects.aggregate(now=Sum("running"))["now"] == 7


@pytest.mark.parametrize("gone", ["silent", "lost"])
def test_what_ran_in_a_dead_executor_does_not_run(three, consumer, gone):
    now = timezone.now()
    consumer(
        {"a.one": 2}, **({"beat_at": now - timedelta(seconds=9)} if gone == "silent" else {"lost_at": now})
    )
    assert Task.objects.get(name="a.one").running == 0


def test_the_statistics_can_not_be_written_by_the_orm(three):
    with pytest.raises(Exception, match="cannot"):
        Task.objects.update(total=0)


def test_a_flush_empties_the_tally(by_hand):
    tally = Tally("tpq_tally")
    tally.add("x", time.monotonic(), failed=True)
    assert tally.is_due
    tally.flush(by_hand.connection)
    tally.flush(by_hand.connection)
    assert not tally.is_due
    assert figures() == {"x": (0, 1, 1)}


def test_a_flush_that_fails_loses_nothing(by_hand):
    tally = Tally("tpq_tally")
    tally.add("x", time.monotonic(), failed=False)
    with connect("default") as closed:
        closed.close()
        with pytest.raises(Exception, match="closed"):
            tally.flush(closed)
    tally.add("x", time.monotonic(), failed=False)
    tally.flush(by_hand.connection)
    assert figures() == {"x": (0, 2, 0)}


def test_the_first_and_the_last_start_are_kept_whoever_flushes_first(by_hand):
    early, late, now = Tally("tpq_tally"), Tally("tpq_tally"), time.monotonic()
    late.add("x", now - 10, failed=False)
    early.add("x", now - 100, failed=False)
    late.flush(by_hand.connection)
    early.flush(by_hand.connection)
    row = Task.objects.get()
    assert timedelta(seconds=89) < row.last_seen - row.first_seen < timedelta(seconds=91)


def test_tallies_that_flush_at_once_lose_nothing_and_do_not_deadlock():
    names, errors = [f"task.{number}" for number in range(200)], []
    together = threading.Barrier(4)

    def flush(order):
        tally = Tally("tpq_tally")
        try:
            with connect("default") as mine:
                for _ in range(25):
                    for name in order:
                        tally.add(name, time.monotonic(), failed=name.endswith("7"))
                    together.wait(30)
                    tally.flush(mine)
        except Exception as error:
            errors.append(error)
            together.abort()

    orders = [names, names[::-1], names[100:] + names[:100], sorted(names)]
    threads = [threading.Thread(target=flush, args=(order,)) for order in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert errors == []
    assert {(total, failures) for _, total, failures in figures().values()} == {(100, 0), (100, 100)}
    assert len(figures()) == 200
