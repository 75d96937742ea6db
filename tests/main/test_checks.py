"""The system checks: what they find, what they say to do, and which commands they leave alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import CheckMessage
from django.db import models
from django.test.utils import isolate_apps

from django_tpq.conf import Settings
from django_tpq.futures.models import CallQueue
from django_tpq.main import checks
from django_tpq.main.models import BaseQueue
from tests.testapp.models import PlainQueue

QUEUE = "class Post(BaseQueue):\n    pass\n"


@pytest.fixture(autouse=True)
def _unregistered() -> Iterator[None]:
    """The models of these tests are nobody else's."""
    with isolate_apps("django_tpq.main"):
        yield


def queue(name: str = "Post", *, base: Any = BaseQueue, meta: Any = (), **fields: Any) -> type[models.Model]:
    """A new queue class with these fields."""
    options = type("Meta", (), {"app_label": "tpq", **dict(meta)})
    return type(base)(name, (base,), {"__module__": __name__, "Meta": options, **fields})


def found(model: type[models.Model]) -> list[str]:
    messages: list[CheckMessage] = list(checks.of_shape(model))
    assert all(message.hint and message.obj is model for message in messages)
    return [f"{message.id} {message.msg}" for message in messages]


def test_a_queue_with_columns_of_its_own_is_fine():
    parent = models.ForeignKey("self", models.CASCADE, null=True, db_constraint=False)
    assert found(queue("Bare")) == []
    assert found(queue(tenant=models.TextField(), parent=parent)) == []


def test_a_foreign_key_to_a_queue_is_refused_for_no_message_could_be_taken():
    parent = models.ForeignKey("self", models.CASCADE, null=True)
    assert "tpq.E008" in found(queue(parent=parent))[0]


def test_a_queue_may_show_its_standard_fields_in_its_own_way():
    assert found(queue(error=models.TextField("what happened", null=True, help_text="The last error"))) == []


def test_a_multi_table_child_and_a_proxy_of_a_queue_are_refused():
    post = queue()
    child, proxy = queue("Child", base=post), queue("Proxy", base=post, meta={"proxy": True})
    assert found(child) == ["tpq.E003 The queue tpq.Child is a multi-table child."]
    assert found(proxy) == ["tpq.E002 The queue tpq.Proxy is a proxy of a queue."]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"id": models.UUIDField(primary_key=True)}, "field id"),
        ({"id": None, "key": models.TextField(primary_key=True)}, "field id"),
        ({"body": models.TextField(), "seq": models.BigIntegerField(default=0)}, "fields body, seq"),
        ({"headers": None}, "field headers"),
        ({"error": models.TextField(null=True, db_column="failure")}, "field error"),
    ],
)
def test_a_changed_standard_field_is_refused(fields, named):
    assert found(queue(**fields)) == [f"tpq.E004 The queue tpq.Post changes the standard {named}."]


@pytest.mark.parametrize("name", ["delay", "wait", "lease", "n", "ack", "retry", "is_settled", "died_at"])
def test_a_field_may_not_be_named_as_a_keyword_or_what_a_message_can_do(name):
    fields = {name: models.TextField(), "tenant": models.TextField()}
    assert found(queue(**fields)) == [f"tpq.E005 The queue tpq.Post has no right to the field {name}."]


def test_a_table_in_a_quoted_schema_is_refused():
    message = found(queue(meta={"db_table": 'far"."post'}))[0]
    assert message.startswith("tpq.E006 The queue tpq.Post has a double quote in its db_table")


def test_a_setting_that_does_not_exist_is_reported_with_the_one_that_was_meant(settings):
    assert checks.check_settings() == []
    settings.TPQ_RESULT_TLT = 60
    settings.TPQ_XYZ = 1
    assert [(message.id, message.hint) for message in checks.check_settings()] == [
        ("tpq.W003", "Did you mean TPQ_RESULT_TTL?"),
        ("tpq.W003", f"The settings are {', '.join(sorted(Settings._names()))}."),
    ]


def test_a_class_that_can_be_no_queue_stops_every_command(project):
    project.models(QUEUE + "class Child(Post):\n    pass\n")
    for command in ("check", "queuemigrations"):
        assert "tpq.E003" in project.manage(command, code=1).stderr


def test_a_queue_in_another_kind_of_database_is_refused_and_the_text_says_what_to_do(project):
    project.use_sqlite("default")
    project.models(QUEUE)
    project.manage("queuemigrations")
    told = project.manage("migrate", code=1).stderr
    assert "tpq.E001" in told
    assert (
        "The queue shop.Post lives in the database 'default', which is sqlite, but queues need PostgreSQL."
        in told
    )
    last = project.manage("migrate", "--skip-checks", code=1).stderr.splitlines()[-1]
    assert last.startswith("django.core.exceptions.ImproperlyConfigured: The queue shop.Post lives in")
    assert "send the queue to a PostgreSQL alias by a router" in last


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("model", "todo"),
    [
        (CallQueue, "Run `manage.py migrate`."),
        (PlainQueue, "Run `manage.py queuemigrations testapp` and `manage.py migrate`."),
    ],
)
def test_a_table_of_an_older_version_is_told_with_what_to_run(monkeypatch, model, todo):
    monkeypatch.setattr(checks.schema, "VERSION", checks.schema.VERSION + 1)
    (message,) = checks._of_table(model, "default")
    assert (message.id, message.hint) == ("tpq.W004", todo)


def test_a_queue_in_an_app_without_migrations_is_reported_and_stops_nothing(project):
    project.models(QUEUE)
    assert not project.manage("check").stderr  # its migrations are to be made yet
    project.configure("MIGRATION_MODULES = {'shop': None}")
    told = project.manage("migrate", "--run-syncdb").stderr
    assert "tpq.W002" in told
    assert "Make a package `migrations` in the app" in told
    assert "tpq.W004" in project.manage("check", "--database", "default").stderr
