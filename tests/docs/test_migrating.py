"""The migration guides: each followed in a fresh project, and their tables, in which every name of ours must exist."""

import ast
import functools
import inspect
import itertools
import re
from dataclasses import fields
from types import SimpleNamespace

import pytest
from django.core.management import load_command_class

import django_tpq.backend
from django_tpq import futures, testing
from django_tpq.conf import Settings
from django_tpq.futures import CurrentCall, Future, TaskFunction, models, signals
from django_tpq.futures.options import TaskOptions
from django_tpq.futures.schedules import Rule
from tests.docs.reader import ROOT, blocks
from tests.docs.test_howto import FILE, here, reader  # noqa: F401 - a fixture

TOLD = {
    "docs/migrating/celery.md": "True 46\n",
    "docs/migrating/django-q2.md": "[12, 30]\n"
    "('myapp.tasks.area', 2) ('myapp.tasks.mail', 1) ('myapp.tasks.order', 1)\n",
    "docs/migrating/procrastinate.md": "True True\n",
    "docs/migrating/django-tasks-db.md": "SUCCESSFUL sent to ada@example.org 1\n",
}


@pytest.mark.parametrize("document", TOLD)
def test_it_can_be_followed(reader, document):  # noqa: F811
    told = ""
    for language, text in blocks(document):
        if language == "console":
            reader.shell(text)
        elif named := FILE.match(text):
            with (reader.path / named[1]).open("a") as file:
                file.write(here(text))
        elif language == "python":
            told += reader.call(here(text))
    assert told == TOLD[document]


def test_each_is_followed_and_named_by_the_readme_and_the_others():
    names = sorted(path.name for path in (ROOT / "docs/migrating").iterdir())
    assert sorted(TOLD) == [f"docs/migrating/{name}" for name in names]
    readme = (ROOT / "README.md").read_text()
    assert [name for name in names if f"(docs/migrating/{name})" not in readme] == []
    for document, name in itertools.product(TOLD, names):
        assert f"({name})" in (ROOT / document).read_text() or document.endswith(name), (document, name)


# Names of ours --------------------------------------------------------------------------------------------

ANYTHING = object()
"""Of which nothing is known: any attribute will do."""
THEIRS = {
    *(
        "AppConfig",
        "DATABASES",
        "DEBUG",
        "LOGGING",
        "TIME_ZONE",
        "TestCase",
        "select_for_update",
        "task_finished",
    ),
    *("FileNotFoundError", "OSError", "functools", "id", "print"),
    *("args", "kwargs", "model_dump", "moment"),
}
"""Django's, Python's, or the reader's own."""
NAMES = {
    **{name: getattr(futures, name) for name in futures.__all__},
    **{name: getattr(testing, name) for name in testing.__all__},
    **{name: getattr(models, name) for name in models.__all__},
    **dict.fromkeys(THEIRS, ANYTHING),
    "signals": signals,
    "fn": TaskFunction,
    "future": Future,
    "futures": ANYTHING,
    "result": ANYTHING,
    "default_task_backend": django_tpq.backend.PostgreSQLBackend,
    "django_tpq": SimpleNamespace(backend=django_tpq.backend),
}
GIVEN = {
    futures.current_call: CurrentCall,
    Future.get: Future,
    TaskFunction.using: TaskFunction,
    TaskFunction.delay: Future,
}
OPTIONS = {"name", "aliases", "schedule"} | {field.name for field in fields(TaskOptions)}
OF_RULES = {field.name for field in fields(Rule)} | {"tz"}
FIXTURES = {"tpq", "tpq_inline", "tpq_clock", "tpq_executor"}
WORDS = FIXTURES | {
    "tasks.py",
    "manage.py shell",
    "migrate",
    "taskset",
    "finally",
    "except Exception",
    "--detach",
    "lock",
}
SAID = {"failed"} | OPTIONS
STATES = {'"ready"', '"waiting"', '"claimed"', '"dead"', '"pickle"', '"json"', '"restricted"'}


def cells():
    """What stands in backticks on our side of the tables: the document, and each."""
    for document in TOLD:
        for line in (ROOT / document).read_text().splitlines():
            columns = re.split(r"(?<!\\) \| ", line.strip("| "))
            if line.startswith("|") and len(columns) == 2:
                yield from ((document, text) for text in re.findall(r"`([^`]+)`", columns[1]))


@pytest.mark.parametrize(("document", "text"), sorted(set(cells())))
def test_what_a_table_names_exists(document, text):
    if text in WORDS | STATES | SAID:
        return
    first, *rest = text.split()
    if first in ("executor", "deadletters"):
        assert flags_of(first) >= {word for word in rest if word.startswith("-")}
    elif text.startswith("-"):
        assert {first, *rest} & flags_of("executor")
    elif first.startswith("TPQ_"):
        assert first in Settings._names()
    else:
        known(parsed(text))


@functools.cache
def flags_of(command):
    """What a command takes."""
    parser = load_command_class("django_tpq.futures", command).create_parser("manage.py", command)
    parsers = [parser]
    for action in parser._actions:
        parsers += (action.choices or {}).values() if hasattr(action, "add_parser") else []
    return {option for each in parsers for action in each._actions for option in action.option_strings}


def parsed(text):
    """The expression that a text is, or that it is the arguments of."""
    code = re.sub(r"^(raise|return|await|@)\s*", "", text.replace("…", "...")).strip()
    if re.match(r"\w+=[^=]", code):
        code = f"option({code})"
    return ast.parse(code, mode="eval").body


def known(node):
    """What an expression is, as far as that is known; all names in it are."""
    match node:
        case ast.Name(id=name):
            assert name in NAMES, f"{name} is nothing of ours"
            return NAMES[name]
        case ast.Attribute(value=value, attr=name):
            owner = known(value)
            return ANYTHING if owner is ANYTHING else getattr(owner, name)
        case ast.Call(func=ast.Name(id="option"), keywords=keywords):
            given = {each.arg: known(each.value) for each in keywords}
            assert set(given) <= OPTIONS or set(given) <= OF_RULES
        case ast.Call(func=func, args=args, keywords=keywords):
            called = known(func)
            for each in [*args, *(each.value for each in keywords)]:
                known(each)
            require({each.arg for each in keywords}, called)
            return GIVEN.get(called, ANYTHING) if callable(called) else ANYTHING
        case ast.List(elts=parts) | ast.Tuple(elts=parts):
            for each in parts:
                known(each)
    return ANYTHING


def require(given, called):
    """Fail unless a function takes these keywords."""
    if called in (futures.task, TaskFunction.using):
        assert given <= OPTIONS
    elif called is TaskFunction.delay or called is TaskFunction.adelay:
        pass  # those of the task
    elif called is not ANYTHING and given:
        parameters = inspect.signature(called).parameters
        takes_any = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
        assert takes_any or given <= set(parameters)
