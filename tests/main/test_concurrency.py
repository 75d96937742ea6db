"""Many threads and processes at one queue, through its manager: nothing is lost, nothing comes twice."""

import json
from collections import Counter

import pytest
from django.db import connection, transaction

from django_tpq.main.errors import QueueEmpty
from tests.testapp.models import PlainQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects
MESSAGES = 800


def received(**options):
    with queue.receive(**options) as message:
        return [message.body]


DOORS = {
    "dequeue": lambda: [queue.dequeue()],
    "dequeue_many": lambda: queue.dequeue_many(7),
    "receive": received,
    "receive lease": lambda: received(lease=60),
}


def drain(take):
    """Take until there is nothing; the bodies."""
    bodies = []
    try:
        while True:
            bodies += take()
    except QueueEmpty:
        return bodies


def rolling_back():
    """Take and put back now and then."""
    bodies = []
    for turn in range(10_000):
        try:
            with transaction.atomic():
                taken = queue.dequeue_many(3)
                transaction.set_rollback(turn % 3 == 0)
        except QueueEmpty:
            return bodies
        bodies += taken if turn % 3 else []
    return bodies


@pytest.mark.parametrize("take", DOORS.values(), ids=DOORS)
def test_sixteen_threads_lose_and_double_nothing(in_background, take):
    queue.enqueue_many(range(MESSAGES))
    drains = [in_background(lambda: drain(take)) for _ in range(16)]
    taken = [body for one in drains for body in one()]
    assert Counter(taken) == Counter(range(MESSAGES))
    assert queue.all().count() == 0


def test_threads_that_roll_back_lose_and_double_nothing(in_background):
    queue.enqueue_many(range(MESSAGES))
    drains = [in_background(rolling_back) for _ in range(8)]
    taken = [body for one in drains for body in one()]
    left = drain(DOORS["dequeue_many"])  # somebody may have looked while another held the last
    assert Counter(taken + left) == Counter(range(MESSAGES))


def test_producers_and_waiting_consumers_at_once_lose_and_double_nothing(in_background):
    consumers = [in_background(lambda: [queue.dequeue(wait=30) for _ in range(50)]) for _ in range(8)]
    producers = [
        in_background(lambda number=number: [queue.enqueue(number * 100 + turn) for turn in range(100)])
        for number in range(4)
    ]
    ids = [number for one in producers for number in one()]
    taken = [body for one in consumers for body in one()]
    assert (len(set(ids)), sorted(taken)) == (400, list(range(400)))


def test_processes_lose_and_double_nothing(elsewhere):
    queue.enqueue_many(range(MESSAGES))
    consumers = [
        elsewhere("""
            import json
            from django_tpq.main.errors import QueueEmpty
            bodies = []
            input()
            while True:
                try:
                    with PlainQueue.objects.receive(lease=60) as message:
                        bodies += [message.body]
                    bodies += PlainQueue.objects.dequeue_many(3)
                    bodies.append(PlainQueue.objects.dequeue())
                except QueueEmpty:
                    break
            print(json.dumps(bodies))
        """)
        for _ in range(4)
    ]
    for consumer in consumers:
        consumer.stdin.write("now\n")
        consumer.stdin.flush()
    taken = [body for consumer in consumers for body in json.loads(consumer.stdout.readline())]
    assert Counter(taken) == Counter(range(MESSAGES))


def test_who_waits_for_a_unique_key_gets_one_message_through(in_background):
    made = [in_background(lambda: queue.enqueue("work", unique_key="one")) for _ in range(16)]
    numbers = [one() for one in made]
    assert (len([number for number in numbers if number]), queue.count()) == (1, 1)


# No more than asked ---------------------------------------------------------------------------------------


@pytest.fixture
def stale():
    """A queue of 300 messages whose statistics say that it is empty."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE testapp_plainqueue")
    queue.enqueue_many(range(300))


@pytest.mark.usefixtures("stale")
@pytest.mark.parametrize("n", [1, 3, 70])
def test_no_dequeue_takes_more_than_asked(n):
    assert queue.dequeue_many(n) == list(range(n))
    assert queue.all().count() == 300 - n


@pytest.mark.usefixtures("stale")
def test_no_claim_takes_more_than_its_message():
    with queue.receive(lease=60) as message:
        assert (message.body, queue.count("claimed"), queue.count("ready")) == (0, 1, 299)
