"""Finds what the migrations of queues lack, and adds it to what Django's autodetector finds.

What is installed is read from the migrations themselves, never from a database: the operations of
`django_tpq.main.operations` are followed through renames, deletions and squashes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.apps import AppConfig, apps
from django.db import connection, models
from django.db.backends.utils import truncate_name
from django.db.migrations import operations as django_operations
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.migration import Migration
from django.db.migrations.operations.base import Operation

from django_tpq.main.models import BaseQueue
from django_tpq.main.operations import InstallQueue, QueueOperation, RenameQueue, UninstallQueue, UpgradeQueue
from tpq import schema

__all__ = ["Migrated", "QueueAutodetector", "is_queue", "lacking", "migrated", "queues", "see_to_queues"]


@dataclass(slots=True)
class Migrated:
    """A model as an app's migrations leave it."""

    name: str
    db_table: str | None
    """The table's name where Meta gives it; None: Django's own."""
    version: int = 0
    """The version of the queue that is installed on it; 0: none."""
    fits: str = ""
    """The table that the names of its objects fit."""


Before = dict[tuple[str, str], Migrated]
"""By app label and the model's name in lower case."""


def is_queue(model: type[models.Model]) -> bool:
    """Whether a model is a queue with a table of its own. Children and proxies are refused by a check."""
    return issubclass(model, BaseQueue) and not model._meta.proxy and not model._meta.parents


def queues(app_configs: Iterable[AppConfig] | None = None) -> list[type[models.Model]]:
    """The queues of some apps, or of all."""
    chosen = apps.get_app_configs() if app_configs is None else app_configs
    return [model for app in chosen for model in app.get_models() if is_queue(model)]


def lacking(name: str, table: str, record: Migrated | None) -> list[QueueOperation]:
    """What the migrations of a queue must still do, if its table is to be usable."""
    if record is None or not record.version:
        return [InstallQueue(name=name, version=schema.VERSION)]
    steps = range(record.version + 1, schema.VERSION + 1)
    return [*_renaming(name, table, record), *(UpgradeQueue(name=name, to=step) for step in steps)]


def _leaving(app_label: str, record: Migrated) -> list[QueueOperation]:
    """What the migrations must do before a model is deleted, or no queue any more."""
    rename = _renaming(record.name, _table(app_label, record.name, record.db_table), record)
    return [*rename, UninstallQueue(name=record.name, version=record.version)]


def _renaming(name: str, table: str, record: Migrated) -> list[QueueOperation]:
    return [RenameQueue(name=name, old_table=record.fits)] if record.fits != table else []


def migrated(graph: MigrationGraph, app_label: str) -> dict[str, Migrated]:
    """The models of an app as its migrations leave them, by their names in lower case."""
    found: dict[str, Migrated] = {}
    for migration in _in_order(graph, app_label):
        for operation in _flat(migration.operations):
            _follow(found, app_label, operation)
    return found


def _in_order(graph: MigrationGraph, app_label: str) -> list[Migration]:
    plans = [graph.forwards_plan(leaf) for leaf in graph.leaf_nodes(app_label)]
    keys = dict.fromkeys(key for plan in plans for key in plan if key[0] == app_label)
    return [migration for key in keys if (migration := graph.nodes[key])]


def _flat(operations: Iterable[Operation]) -> Iterator[Operation]:
    for operation in operations:
        if isinstance(operation, django_operations.SeparateDatabaseAndState):
            yield from _flat(operation.state_operations)
            yield from _flat(operation.database_operations)
        else:
            yield operation


def _follow(found: dict[str, Migrated], app_label: str, operation: Operation) -> None:
    match operation:
        case django_operations.CreateModel():
            found[operation.name_lower] = Migrated(operation.name, operation.options.get("db_table"))
        case django_operations.DeleteModel():
            found.pop(operation.name_lower, None)
        case django_operations.RenameModel():
            if record := found.pop(operation.old_name_lower, None):
                found[operation.new_name_lower] = record
                record.name = operation.new_name
        case django_operations.AlterModelTable() if operation.name_lower in found:
            found[operation.name_lower].db_table = operation.table
        case QueueOperation() if operation.name_lower in found:
            _follow_queue(found[operation.name_lower], app_label, operation)


def _follow_queue(record: Migrated, app_label: str, operation: QueueOperation) -> None:
    match operation:
        case InstallQueue(version=version):
            record.version, record.fits = version, _table(app_label, record.name, record.db_table)
        case UpgradeQueue(to=version):
            record.version = version
        case RenameQueue():
            record.fits = _table(app_label, record.name, record.db_table)
        case UninstallQueue():
            record.version, record.fits = 0, ""


def _table(app_label: str, name: str, db_table: str | None) -> str:
    """A model's table, named and cut as Django does."""
    return db_table or truncate_name(f"{app_label}_{name.lower()}", connection.ops.max_name_length())


class QueueAutodetector(MigrationAutodetector):
    """Django's autodetector, which also sees to the objects on the tables of queues."""

    new_model_keys: set[tuple[str, str]]
    renamed_models: dict[tuple[str, str], str]
    generated_operations: dict[str, list[Operation]]

    def _build_migration_list(self, graph: MigrationGraph | None = None) -> None:
        """Add our operations here, where Django's are sorted already: ours go before or behind all of them."""
        before = _before(graph) if graph else {}
        for app_label, operation in reversed(self._for_lost_queues(before)):
            self.add_operation(app_label, operation, beginning=True)
        for app_label, operation in self._for_queues(before):
            self._leave_columns_to(app_label, operation)
            self.add_operation(app_label, operation)
        super()._build_migration_list(graph)  # type: ignore[misc]

    def _leave_columns_to(self, app_label: str, ours: QueueOperation) -> None:
        """Drop Django's AddField for the columns that an operation of ours brings."""
        self.generated_operations[app_label] = [
            operation
            for operation in self.generated_operations.get(app_label, [])
            if not isinstance(operation, django_operations.AddField)
            or operation.model_name_lower != ours.name_lower
            or operation.name not in ours.columns
        ]

    def _for_queues(self, before: Before) -> list[tuple[str, QueueOperation]]:
        found = []
        for app_label, name in sorted(self.new_model_keys):
            if _names_queue(app_label, name):
                record = before.get(self._old_key(app_label, name))
                state = self.to_state.models[app_label, name]
                table = _table(app_label, name, state.options.get("db_table"))
                found += [(app_label, operation) for operation in lacking(state.name, table, record)]
        # A new queue may take the name that another one gives up.
        return sorted(found, key=lambda pair: not isinstance(pair[1], RenameQueue))

    def _for_lost_queues(self, before: Before) -> list[tuple[str, QueueOperation]]:
        kept = {self._old_key(*key) for key in self.to_state.models if _names_queue(*key)}
        lost = sorted(key for key, record in before.items() if record.version and key not in kept)
        return [(key[0], operation) for key in lost for operation in _leaving(key[0], before[key])]

    def _old_key(self, app_label: str, name: str) -> tuple[str, str]:
        return app_label, self.renamed_models.get((app_label, name), name)


def _before(graph: MigrationGraph) -> Before:
    """All models of apps with migrations, as these leave them."""
    apps_with_migrations = {app_label for app_label, _ in graph.nodes}
    found = {app_label: migrated(graph, app_label) for app_label in apps_with_migrations}
    return {(app_label, name): record for app_label in found for name, record in found[app_label].items()}


def _names_queue(app_label: str, name: str) -> bool:
    """Whether a model of the state is a queue. The state itself has forgotten: abstract bases leave no trace."""
    try:
        return is_queue(apps.get_model(app_label, name))
    except LookupError:
        return False


def see_to_queues(*commands: Any) -> None:
    """Put our autodetector on top of the ones that commands have, which may be another package's."""
    ours = {
        c.autodetector: type("QueueAutodetector", (QueueAutodetector, c.autodetector), {}) for c in commands
    }
    for command in commands:  # those that have shared a class must share one again: a check of Django's
        command.autodetector = ours[command.autodetector]
