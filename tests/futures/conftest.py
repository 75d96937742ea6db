"""Calls by hand: claimed, run and settled in the test's own process, as an executor does it."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from django_tpq.futures import lookup
from django_tpq.futures.delivery import Delivery, Ended
from django_tpq.futures.executor import tables
from django_tpq.futures.options import LANES
from django_tpq.futures.postman import Postman
from django_tpq.futures.results import store
from django_tpq.futures.runner import Runner
from django_tpq.main.connections import connect
from tpq.tally import Tally

CONSUMER = 7


class ByHand:
    """What an executor does, step by step."""

    def __init__(self, connection):
        self.connection = connection
        self.tables = tables(["default", "mail"], connection)
        self.runner = Runner()
        self.tally = Tally("tpq_tally")
        self.postman = Postman(store(), lambda: connect("default"))
        self.delivery = Delivery(self.tally, self.postman)

    def claim(self, queue="default", count=1000):
        """Claim calls, as a consumer."""
        lanes = LANES.values()
        return [call for lane in lanes for call in self.tables[queue].claim(CONSUMER, count, lane=lane)]

    def run(self, *calls):
        """Run claimed calls; what they end with."""
        return [Ended(self.tables[call.queue], call, self.runner.run(call)) for call in calls]

    def settle(self, *ended, again=False):
        """Apply what they ended with."""
        self.delivery.settle(self.connection, ended, again=again)

    def work(self, queue="default"):
        """All of it, for all calls of a queue."""
        self.settle(*self.run(*self.claim(queue)))


@pytest.fixture
def by_hand(transactional_db):
    with connect("default") as connection:
        hand = ByHand(connection)
        yield hand
        hand.postman.close(10)


@pytest.fixture
def outcome(by_hand):
    """Call a task and run it; what it ended with, not settled."""

    def outcome(task, *args, **kwargs):
        task.delay(*args, **kwargs)
        ((_, _, outcome),) = by_hand.run(*by_hand.claim(task.options.queue))
        return outcome

    return outcome


@pytest.fixture
def done(by_hand):
    """Call a task, run it and settle it; its future."""

    def done(task, *args, **kwargs):
        future = task.delay(*args, **kwargs)
        by_hand.work(task.options.queue)
        return future

    return done


@pytest.fixture
def impatient(monkeypatch):
    """A result is given up for lost a third of a second after its row has gone."""
    monkeypatch.setattr(lookup, "GRACE", 0.3)


@pytest.fixture
def failed(by_hand):
    """Calls that have failed: their futures."""

    def failed(made, *calls):
        futures = made.delay_many(list(calls))
        by_hand.work(made.options.queue)
        return futures

    return failed


@pytest.fixture
def root():
    """A client of a superuser."""
    client = Client()
    client.force_login(User.objects.create_superuser("root"))
    return client
