"""System checks of queues.

Errors are what can not work; they stop commands. Whatever a migration would cure is a warning, so that `migrate`
and `test` go on, and `queuemigrations` runs only the checks tagged `models`.
"""

import difflib
import inspect
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings as django_settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - as Django's checks do
from django.core.exceptions import FieldDoesNotExist
from django.db import connections, models, router
from django.db.migrations.exceptions import BadMigrationError, CircularDependencyError, NodeNotFoundError
from django.db.migrations.loader import MigrationLoader

from django_tpq.conf import Settings
from django_tpq.main.autodetector import lacking, migrated, queues
from django_tpq.main.deadletters import ends, error_tail
from django_tpq.main.leases import Leased
from django_tpq.main.managers import QueueManager
from django_tpq.main.models import BaseQueue
from django_tpq.main.operations import ROUTE_IT, not_postgresql
from django_tpq.main.rows import STANDARD, own_fields
from tpq import schema

__all__ = ["of_shape"]

Queue = type[models.Model]
AppConfigs = Sequence[AppConfig] | None
OURS_TO_CHANGE = {"verbose_name", "help_text", "editable", "blank", "choices", "validators", "error_messages"}
"""What a queue may say anew about a standard field: none of it reaches the table."""


@register(Tags.models)
def check_shapes(app_configs: AppConfigs = None, **_: Any) -> list[CheckMessage]:
    """Whether each queue's class can be one."""
    return [message for model in _models(app_configs) for message in of_shape(model)]


@register("queues")
def check_homes(app_configs: AppConfigs = None, **_: Any) -> list[CheckMessage]:
    """Whether each queue lives in PostgreSQL. Nothing is connected to."""
    aliases = [(model, router.db_for_write(model)) for model in queues(app_configs)]
    if lost := sorted({alias for _, alias in aliases if alias not in connections}):
        hint = "Name one of them by TPQ_DATABASE, or in your router."
        return [
            Error(f"Queues live in {', '.join(lost)}, which DATABASES has not.", hint=hint, id="tpq.E007")
        ]
    homes = [(model, connections[alias]) for model, alias in aliases]
    hint = f"Say where it lives: {ROUTE_IT}."
    return [
        Error(f"{not_postgresql(model, home)}.", hint=hint, obj=model, id="tpq.E001")
        for model, home in homes
        if home.vendor != "postgresql"
    ]


@register("queues")
def check_migrations(app_configs: AppConfigs = None, **_: Any) -> list[CheckMessage]:
    """Whether the migrations install each queue. Reads files, no database."""
    managed = [model for model in queues(app_configs) if model._meta.managed]
    if not managed:
        return []
    try:
        loader = MigrationLoader(None, ignore_no_migrations=True)
    except (BadMigrationError, CircularDependencyError, NodeNotFoundError):
        return []  # makemigrations and migrate say it better
    return [message for model in managed for message in _of_migrations(model, loader)]


@register("queues")
def check_settings(app_configs: AppConfigs = None, **_: Any) -> list[CheckMessage]:
    """Whether each TPQ_ setting is one."""
    known = Settings._names()
    given = sorted(name for name in dir(django_settings) if name.startswith("TPQ_"))
    return [_unknown(name, known) for name in given if name not in known]


@register(Tags.database)
def check_tables(
    app_configs: AppConfigs = None, databases: Iterable[str] | None = None, **_: Any
) -> list[CheckMessage]:
    """Whether each queue's table is installed. Tables that are not there yet are `migrate`'s business."""
    chosen = [(model, router.db_for_write(model)) for model in queues(app_configs)]
    here = [(model, alias) for model, alias in chosen if alias in (databases or ())]
    return [message for model, alias in here for message in _of_table(model, alias)]


def of_shape(model: Queue) -> Iterator[CheckMessage]:
    """What is wrong with a queue's class."""
    if model._meta.proxy:
        hint = "It has no table of its own: derive from BaseQueue or an abstract queue."
        yield _error(2, model, "is a proxy of a queue", hint)
    elif model._meta.parents:
        hint = "Its messages would lie in two tables: derive from BaseQueue or an abstract queue."
        yield _error(3, model, "is a multi-table child", hint)
    else:
        yield from _of_fields(model)


def _of_fields(model: Queue) -> Iterator[CheckMessage]:
    if changed := sorted(name for name in STANDARD if not _is_standard(model, name)):
        hint = "The queue's statements need these columns as they are: give your own field another name."
        yield _error(4, model, f"changes the standard {_fields(changed)}", hint)
    if taken := sorted({name for f in own_fields(model) for name in (f.name, f.attname)} & _taken()):
        hint = "enqueue(), receive() and their messages have these names already: choose others."
        yield _error(5, model, f"has no right to the {_fields(taken)}", hint)
    pointing: Iterable[Any] = (
        r for r in model._meta.related_objects if getattr(r.field, "db_constraint", True)
    )
    relations: Iterable[Any] = (*pointing, *model._meta.local_many_to_many)
    if tied := sorted(relation.name for relation in relations):
        hint = "Messages are deleted by statements that know of no cascade: use db_constraint=False, or keep an id."
        yield _error(8, model, f"is tied to other tables by the {_fields(tied)}", hint)
    if '"' in model._meta.db_table:
        hint = "For a table in another schema set the search_path in the alias' OPTIONS."
        yield _error(6, model, f"has a double quote in its db_table, {model._meta.db_table!r}", hint)


def _is_standard(model: Queue, name: str) -> bool:
    try:
        field = model._meta.get_field(name)
    except FieldDoesNotExist:
        return False
    return _essence(field) == _essence(BaseQueue._meta.get_field(name))


def _essence(field: Any) -> tuple[str, list[Any], dict[str, Any]]:
    _, path, arguments, keywords = field.deconstruct()
    return path, arguments, {key: value for key, value in keywords.items() if key not in OURS_TO_CHANGE}


def _taken() -> set[str]:
    """Keywords of the verbs that also take own columns, what a message can do, and what is asked of the dead."""
    signatures = [inspect.signature(verb) for _, verb in inspect.getmembers(QueueManager, inspect.isfunction)]
    verbs = [s.parameters for s in signatures if any(p.kind is p.VAR_KEYWORD for p in s.parameters.values())]
    return (
        {name for parameters in verbs for name in parameters} | set(vars(Leased)) | {*ends(), *error_tail()}
    )


def _of_migrations(model: Queue, loader: MigrationLoader) -> Iterator[CheckMessage]:
    app_label = model._meta.app_label
    if app_label in loader.unmigrated_apps:
        hint = "Make a package `migrations` in the app, and no None of it in MIGRATION_MODULES. "
        told = f"is never installed: the app {app_label} has no migrations"
        yield _warning(2, model, told, hint + _run(app_label))
        return
    record = migrated(loader.graph, app_label).get(model.__name__.lower())
    missing = (
        lacking(model.__name__, model._meta.db_table, record) if record else ()
    )  # else: still to be made
    if todo := "; ".join(operation.describe() for operation in missing):
        told = f"can not be used as its migrations leave it. They lack: {todo}"
        yield _warning(1, model, told, _run(app_label))


def _of_table(model: Queue, alias: str) -> Iterator[CheckMessage]:
    connection, table = connections[alias], model._meta.db_table
    if connection.vendor != "postgresql" or not schema.exists(table, connection.cursor):
        return
    version = schema.version(table, connection.cursor)
    if version is None or version < schema.VERSION:
        is_now = (
            "not installed as a queue" if version is None else f"of version {version}, not {schema.VERSION}"
        )
        told = f"has a table in {alias!r} that is {is_now}"
        yield _warning(4, model, told, _run(model._meta.app_label))


def _models(app_configs: AppConfigs) -> list[Queue]:
    chosen = apps.get_app_configs() if app_configs is None else app_configs
    return [model for app in chosen for model in app.get_models() if issubclass(model, BaseQueue)]


def _error(number: int, model: Queue, what: str, hint: str) -> CheckMessage:
    return Error(f"The queue {model._meta.label} {what}.", hint=hint, obj=model, id=f"tpq.E00{number}")


def _warning(number: int, model: Queue, what: str, hint: str) -> CheckMessage:
    return Warning(f"The queue {model._meta.label} {what}.", hint=hint, obj=model, id=f"tpq.W00{number}")


def _run(app_label: str) -> str:
    if apps.get_app_config(app_label).name.startswith("django_tpq."):
        return "Run `manage.py migrate`."  # its migrations are part of the package
    return f"Run `manage.py queuemigrations {app_label}` and `manage.py migrate`."


def _fields(names: Sequence[str]) -> str:
    return f"field{'s' if len(names) > 1 else ''} {', '.join(names)}"


def _unknown(name: str, known: Iterable[str]) -> CheckMessage:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    hint = f"Did you mean {close[0]}?" if close else f"The settings are {', '.join(sorted(known))}."
    return Warning(f"There is no setting {name}.", hint=hint, id="tpq.W003")
