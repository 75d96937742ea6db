"""TPQ_CODEC = "restricted": JSON, and nothing else is written or read."""

import pytest
from django.core.checks import run_checks

from django_tpq.futures import TaskFailed, task
from django_tpq.futures.codecs import codec
from django_tpq.futures.models import CallQueue
from tests.futures.test_signing import Bomb, traces
from tests.testapp import tasks


@pytest.mark.parametrize("value", [{1: 2}, [{"a": {None: 1}}], ({True: 1},), {1.5: 2}])
def test_keys_that_json_would_make_text_of_are_refused(value, by_hand):
    with pytest.raises(TypeError, match=r"tasks\.echo: .*keys of a dict must be text"):
        tasks.echo.using(codec="json").delay(value)
    with pytest.raises(TypeError, match="keys of a dict must be text"):
        codec("json").dumps(value)


@pytest.mark.parametrize("value", [{"1": 2}, ['"1":', {"true": {"null": 1}}], {"-3x": [1, 2]}, "1"])
def test_text_that_looks_like_such_a_key_is_not(value):
    assert codec("json").loads(codec("json").dumps(value)) == value


def plain():
    """No task yet."""


@pytest.fixture
def restrict(settings):
    """From now on."""

    def restrict():
        settings.TPQ_CODEC = "restricted"

    return restrict


def test_arguments_and_results_are_json(restrict, by_hand):
    restrict()
    future = tasks.echo.delay(1, a=[2])
    assert bytes(CallQueue.objects.get().payload)[32:].startswith(b"json\0")
    by_hand.work()
    assert future.result() == [[1], {"a": [2]}]


def test_an_exception_comes_back_as_text(restrict, by_hand):
    restrict()
    future = tasks.fail.delay("boo")
    by_hand.work()
    with pytest.raises(TaskFailed, match="boo"):
        future.result()


def test_a_call_that_was_pickled_before_is_not_unpickled_and_fails(restrict, by_hand):
    traces.clear()
    future = tasks.echo.delay(Bomb())
    restrict()
    by_hand.work()
    assert traces == []
    with pytest.raises(TaskFailed, match="pickle is refused: TPQ_CODEC is 'restricted'"):
        future.result()


def test_a_result_that_was_pickled_before_is_not_unpickled(restrict, by_hand):
    future = tasks.echo.delay(Bomb)
    by_hand.work()
    traces.clear()
    restrict()
    with pytest.raises(ValueError, match="pickle is refused"):
        future.result()
    assert traces == []


def test_a_task_that_wants_pickle_is_refused_when_it_is_made(restrict):
    restrict()
    with pytest.raises(ValueError, match="pickle is refused"):
        task(codec="pickle")(plain)
    with pytest.raises(ValueError, match="pickle is refused"):
        tasks.add.using(codec="pickle")


@pytest.mark.django_db
def test_a_task_that_wanted_pickle_before_makes_no_call(restrict):
    wanting = tasks.add.using(codec="pickle")
    restrict()
    with pytest.raises(ValueError, match="pickle is refused"):
        wanting.delay(1, 2)
    assert not CallQueue.objects.exists()


def test_it_is_a_value_of_the_setting_and_no_codec_of_a_task(restrict):
    restrict()
    assert not [error for error in run_checks() if "TPQ_CODEC" in error.msg]
    with pytest.raises(ValueError, match="there is no codec 'restricted'"):
        tasks.add.using(codec="restricted")
