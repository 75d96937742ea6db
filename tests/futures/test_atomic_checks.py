"""An atomic task whose queue is where no model of the project is."""

import pytest
from django.core.checks import run_checks

from django_tpq.futures import registry, task


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """Only the tasks of these tests are known."""
    monkeypatch.setattr(registry, "_tasks", {})


@pytest.fixture
def elsewhere(settings):
    """Queues live in a database of their own."""
    settings.DATABASE_ROUTERS = ["django_tpq.main.routers.QueueRouter"]
    settings.TPQ_DATABASE = "other"


def book():
    """A task."""


def told():
    return [message.msg for message in run_checks() if message.id == "tpq_futures.W012"]


def test_it_is_told_with_both_databases(elsewhere):
    task(atomic=True)(book)
    (message,) = told()
    assert f"The task {__name__}.book is atomic, but its queue is in the database 'other'" in message
    assert message.endswith("models are written to default.")


def test_where_the_models_are_all_is_well():
    task(atomic=True)(book)
    assert told() == []


def test_others_and_unknown_queues_are_no_business_of_it(elsewhere):
    task(book)
    task(atomic=True, queue="nowhere", name="nowhere")(book)
    assert told() == []
