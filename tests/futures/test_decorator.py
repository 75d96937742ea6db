"""`@task`: what it takes, what it refuses, and when."""

import importlib
import pickle
import subprocess
import sys
from datetime import timedelta
from functools import partial, wraps

import pytest

from django_tpq.futures import DuplicateTask, TaskFunction, registry, task
from tests.testapp import tasks

HERE = __name__


@pytest.fixture(autouse=True)
def _registered(monkeypatch):
    """The tasks of these tests are nobody else's."""
    monkeypatch.setattr(registry, "_tasks", dict(registry._tasks))


def plain(a, b=2):
    """Adds."""
    return a + b


class Shelf:
    def method(self):
        return 1

    @staticmethod
    def static():
        return 2

    @classmethod
    def of_class(cls):
        return 3


def decorated(function):
    @wraps(function)
    def inner(*args):
        return function(*args)

    return inner


def undecorated(function):
    def inner(*args):
        return function(*args)

    return inner


def nested():
    def inner():
        return None

    return inner


def test_a_bare_decorator_registers_a_function_under_its_module_and_name():
    made = task(plain)
    assert made.name == f"{HERE}.plain"
    assert registry.find(made.name) is made


def test_a_task_still_calls_its_function():
    assert task(plain)(1) == 3
    assert task(queue="mail")(plain)(1, b=1) == 2


def test_a_task_looks_like_its_function():
    made = task(plain)
    assert (made.__name__, made.__doc__, made.__module__, made.__wrapped__) == ("plain", "Adds.", HERE, plain)
    assert repr(made) == f"<task {HERE}.plain>"


def test_options_are_kept():
    made = task(
        name="mine",
        queue="mail",
        priority=-5,
        delay=3,
        codec="json",
        max_deliveries=7,
        result_ttl=timedelta(hours=2),
    )(plain)
    kept = made.options
    assert (made.name, kept.queue, kept.priority, kept.codec, kept.max_deliveries) == (
        "mine",
        "mail",
        -5,
        "json",
        7,
    )
    assert kept.due == timedelta(seconds=3)
    assert kept.result_ttl == timedelta(hours=2)


def test_without_options_there_are_defaults():
    kept = task(plain).options
    assert (kept.queue, kept.priority, kept.due, kept.max_deliveries) == ("default", 0, None, 3)


def test_empty_parentheses_are_as_none():
    assert task()(plain).name == f"{HERE}.plain"


WRONG = [
    ("queue", ["", "Upper", "q" * 25, "a b", None, 3, "a:b", "ä"]),
    ("priority", [1.5, "high", None, True, 32768, -32769]),
    (
        "delay",
        [-1, "soon", True, timedelta(seconds=-1), float("nan"), float("inf"), 1e300, timedelta.max, [1]],
    ),
    ("codec", ["xml", "", 3, ["json"]]),
    ("expires", [0, 0.0, timedelta(0), -1, "1h", True]),
    ("atomic", ["no", "", 1, 0, None]),
    ("executor", ["fiber", "", 3, True, ["thread"]]),
    ("max_deliveries", [0, -1, 32768, 1.0, None, True]),
    ("result_ttl", [-1, "1h", True, timedelta(days=-1), float("nan"), float("inf"), 1e300, timedelta.max]),
]


@pytest.mark.parametrize(
    ("option", "value"), [(option, value) for option, values in WRONG for value in values]
)
def test_a_wrong_option_is_refused_when_the_module_loads(option, value):
    with pytest.raises((TypeError, ValueError), match=rf"^task {HERE}\.plain: .*{option}"):
        task(**{option: value})(plain)


@pytest.mark.parametrize(("option", "value"), [(option, values[-1]) for option, values in WRONG])
def test_a_wrong_option_is_refused_by_using_too(option, value):
    with pytest.raises((TypeError, ValueError), match=rf"^task {HERE}\.plain: "):
        task(plain).using(**{option: value})


def test_an_unknown_option_is_refused_with_those_there_are():
    with pytest.raises(
        TypeError, match=r"plain: no such option: prio, quue \(there are atomic, backoff, codec, delay,"
    ):
        task(prio=3, quue="mail")(plain)
    with pytest.raises(TypeError, match="no such option: name"):
        task(plain).using(name="other")


@pytest.mark.parametrize("name", ["", "x" * 256, 3, "a\0b"])
def test_a_name_that_can_not_be_kept_is_refused(name):
    with pytest.raises(ValueError, match="a task's name is text of 1 to 255 characters"):
        task(name=name)(plain)


@pytest.mark.parametrize(
    ("function", "named"),
    [
        (lambda: None, r"test_decorator\.<lambda>"),
        (nested(), r"test_decorator\.nested\.<locals>\.inner"),
        (undecorated(plain), r"test_decorator\.undecorated\.<locals>\.inner"),
        (Shelf.method, r"test_decorator\.Shelf\.method"),
        (Shelf().method, r"test_decorator\.Shelf\.method"),
        (Shelf.static, r"test_decorator\.Shelf\.static"),
        (Shelf.of_class, r"test_decorator\.Shelf\.of_class"),
    ],
)
def test_a_function_that_executors_could_not_find_is_refused_by_its_name(function, named):
    with pytest.raises(TypeError, match=named + " can not be a task"):
        task(function)


@pytest.mark.parametrize("thing", [Shelf, partial(plain, 1), 3, "plain", Shelf()])
def test_what_is_no_function_is_refused(thing):
    with pytest.raises(TypeError, match="@task needs a function, not"):
        task(thing)


def test_a_function_that_another_decorator_has_wrapped_properly_is_fine():
    assert task(decorated(plain))(1, 5) == 6


def test_two_tasks_of_one_name_are_refused_with_both_origins():
    task(name="same")(plain)
    with pytest.raises(
        DuplicateTask, match=rf"'same' is defined twice: by {HERE}\.plain and by {HERE}\.decorated"
    ):
        task(name="same")(decorated)
    assert registry.find("same").function is plain


def test_a_reload_of_a_module_takes_the_place_of_its_tasks(monkeypatch):
    """The module of its own, so that the others' tasks stay what they are."""
    module = importlib.import_module("tests.testapp.reloaded")
    first = module.once
    again = importlib.reload(module)
    assert again.once is not first
    assert registry.find("tests.testapp.reloaded.once") is again.once


def test_tasks_are_pickled_by_name():
    assert pickle.loads(pickle.dumps(tasks.add)) is tasks.add
    assert len(pickle.dumps(tasks.add)) < 80


def test_a_task_with_other_options_is_pickled_with_them():
    copy = pickle.loads(pickle.dumps(tasks.add.using(priority=3)))
    assert (copy.function, copy.options.priority) == (tasks.add.function, 3)


def test_using_changes_only_the_calls_made_through_it():
    chosen = tasks.add.using(priority=9, queue="mail")
    assert (chosen.options.priority, chosen.options.queue, chosen.name) == (9, "mail", tasks.add.name)
    assert (tasks.add.options.priority, tasks.add.options.queue) == (0, "default")
    assert registry.find(tasks.add.name) is tasks.add
    assert chosen(1, 2) == 3


def test_using_can_be_chained_and_the_last_word_counts():
    chosen = tasks.mail.using(priority=1, delay=5).using(priority=2)
    assert (chosen.options.priority, chosen.options.delay, chosen.options.queue) == (2, 5, "mail")
    assert isinstance(chosen, TaskFunction)


def test_a_task_is_made_before_the_apps_are_ready_and_without_settings():
    code = (
        "from django_tpq.futures import task\n"
        "from django_tpq.futures.decorators import task as same\n"
        "import tests.testapp.tasks as tasks\n"
        "assert task is same and tasks.add(1, 2) == 3\n"
        "from django.apps import apps\n"
        "from django.conf import settings\n"
        "print(apps.ready, settings.configured)\n"
    )
    ran = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (ran.stdout, ran.stderr) == ("False False\n", "")
