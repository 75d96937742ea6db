"""Tasks that were renamed: calls that were queued under the old name run, too."""

import pytest

from django_tpq.futures import DuplicateTask, registry, task
from django_tpq.futures.models import CallQueue
from tests.testapp import tasks

HERE = __name__


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def before(a, b=2):
    """As it was called."""
    return a + b


def after(a, b=2):
    """As it is called now."""
    return a * b


def other():
    """Another one."""


def test_a_call_of_the_old_name_runs_with_the_new_function(by_hand):
    future = task(name="tests.old", codec="json")(tasks.add.function).delay(3, 4)
    del registry._tasks["tests.old"]
    task(aliases=["tests.old"])(after)
    by_hand.work()
    assert future.result() == 12


def test_it_is_counted_under_the_name_in_its_row(by_hand):
    task(name="tests.old")(tasks.add.function).delay(3, 4)
    del registry._tasks["tests.old"]
    new = task(name="tests.new", aliases=["tests.old"])(after)
    new.delay(3, 4)
    by_hand.work()
    assert sorted(by_hand.tally._counts) == ["tests.new", "tests.old"]


def test_calls_are_made_under_the_new_name(transactional_db):
    task(name="tests.new", aliases=["tests.old"])(tasks.add.function).delay(1, 2)
    assert CallQueue.objects.get().task == "tests.new"


def test_there_may_be_several_and_both_lead_to_the_task():
    new = task(aliases=("tests.older", "tests.old"))(after)
    assert registry.find("tests.older") is registry.find("tests.old") is registry.find(f"{HERE}.after") is new
    assert new.aliases == ("tests.older", "tests.old")


@pytest.mark.parametrize("first", ["the alias", "the task"])
def test_an_alias_that_another_task_has_is_refused_with_both_named(first):
    made = [
        lambda: task(name="tests.new", aliases=["tests.old"])(after),
        lambda: task(name="tests.old")(before),
    ]
    if first == "the task":
        made.reverse()
    made[0]()
    told = rf"'tests\.old' is an alias of the task 'tests\.new' \({HERE}\.after\), but {HERE}\.before has it, too"
    with pytest.raises(DuplicateTask, match=told):
        made[1]()


def test_two_tasks_with_one_alias_are_refused_and_nothing_of_the_second_is_registered():
    task(aliases=["tests.old"])(after)
    with pytest.raises(DuplicateTask, match=r"tests\.old"):
        task(name="tests.other", aliases=["tests.older", "tests.old"])(other)
    assert "tests.other" not in registry.names()
    assert "tests.older" not in registry.names()


def test_a_reload_takes_the_place_with_its_aliases():
    task(aliases=["tests.old"])(after)
    again = task(aliases=["tests.old"])(after)
    assert registry.find("tests.old") is again


@pytest.mark.parametrize(
    ("aliases", "said"),
    [
        ("tests.old", "aliases must be a list of names, such as"),
        ([""], "an alias is text of 1 to 255"),
        (["x" * 256], "an alias is text"),
        ([7], "an alias is text"),
    ],
)
def test_what_can_be_no_alias_is_refused_when_the_module_loads(aliases, said):
    with pytest.raises((TypeError, ValueError), match=rf"task {HERE}\.after: {said}"):
        task(aliases=aliases)(after)


def test_aliases_are_no_option_of_a_call():
    with pytest.raises(TypeError, match="no such option: aliases"):
        tasks.add.using(aliases=["tests.old"])
