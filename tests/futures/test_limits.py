"""How large and how deep arguments and results may be; who makes them hears of it."""

import re
import threading

import pytest

from django_tpq.futures import TaskFailed
from django_tpq.futures.checks import check_queues
from django_tpq.futures.models import CallQueue
from tests.testapp import tasks

LIMIT = 5000


@pytest.fixture(autouse=True)
def _limit(settings):
    settings.TPQ_MAX_PAYLOAD = LIMIT


def nested(depth):
    value = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize("make", [tasks.echo.delay, lambda value: tasks.echo.delay_many([(value,)])])
def test_arguments_that_are_too_large_are_refused_with_what_to_do(transactional_db, make):
    said = r"task tests\.testapp\.tasks\.echo: the arguments take [\d,]+ bytes, more than TPQ_MAX_PAYLOAD \(5,000\): "
    with pytest.raises(ValueError, match=said):
        make("x" * LIMIT)
    assert CallQueue.objects.count() == 0


def test_just_fitting_arguments_and_results_arrive(done):
    text = "x" * (LIMIT - 200)
    assert done(tasks.echo, text).result(wait=20) == ((text,), {})


def test_a_result_that_is_too_large_fails_the_call(done):
    with pytest.raises(ValueError, match=r"the result takes [\d,]+ bytes, more than TPQ_MAX_PAYLOAD"):
        done(tasks.repeat, "x", LIMIT).result(wait=20)


def test_an_exception_that_is_too_large_arrives_as_text(done):
    with pytest.raises(TaskFailed, match="ValueError: x"):
        done(tasks.fail_at_length, LIMIT).result(wait=20)


@pytest.mark.parametrize("codec", ["pickle", "json"])
def test_arguments_that_are_nested_too_deep_are_refused_with_their_place(transactional_db, codec):
    told = []

    def call():
        with pytest.raises(TypeError) as caught:
            tasks.echo.using(codec=codec).delay(1, nested(100_000))
        told.append(str(caught.value))

    thread = threading.Thread(
        target=call
    )  # where deep recursion ends does not depend on the test's own depth
    thread.start()
    thread.join()
    assert re.search(r"argument 2 \(a list\) can not be written as", told[0])


@pytest.mark.parametrize("value", [0, 100, "1000", True, 1e6, None])
def test_a_limit_that_is_none_is_an_error_of_the_checks(settings, value):
    settings.TPQ_MAX_PAYLOAD = value
    assert [message.id for message in check_queues(None)] == ["tpq_futures.E005"]
