"""What the migrations of a queue do besides its table: install, upgrade, rename and uninstall the objects on it.

They are plain operations: they can be undone, `sqlmigrate` shows them, and no optimisation drops them. Of the
models' state they change one thing: columns that a version brings are fields from then on. They come by a step of
the engine's and not by AddField, which would wait for its lock without end, and everybody who uses the queue with it.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import OperationalError, models, router, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.base.schema import BaseDatabaseSchemaEditor as Editor
from django.db.migrations.operations import DeleteModel
from django.db.migrations.operations.base import Operation, OperationCategory
from django.db.migrations.operations.models import ModelOperation
from django.db.migrations.state import ProjectState

from tpq import schema

__all__ = [
    "ROUTE_IT",
    "InstallQueue",
    "QueueOperation",
    "RenameQueue",
    "UninstallQueue",
    "UpgradeQueue",
    "not_postgresql",
]

LOCK_TIMEOUT = "2s"
TRIES, PAUSE = 10, 1.0
"""How often a lock is tried for, and the seconds between."""
LOCKED = "55P03"
"""PostgreSQL's code for a lock that was not to be had in time."""
ROUTE_IT = (
    "change DATABASES, or send the queue to a PostgreSQL alias by a router (db_for_write and allow_migrate)"
)


COLUMNS: Mapping[int, Mapping[str, "models.Field[Any, Any]"]] = {
    2: {
        "errors": models.JSONField(null=True, blank=True, editable=False),
        "claimed_at": models.DateTimeField(null=True, blank=True, editable=False),
    },
    3: {"lane": models.SmallIntegerField(db_default=0, editable=False)},
}
"""The columns that a version brings, and their fields."""


class QueueOperation(ModelOperation):
    """An operation on the objects of a queue's table."""

    category = OperationCategory.ALTERATION

    @property
    def steps(self) -> Iterable[int]:
        """The numbers of the steps that are taken."""
        return ()

    @property
    def columns(self) -> "dict[str, models.Field[Any, Any]]":
        """The columns that come by it, unless they are there."""
        return {name: field for step in self.steps for name, field in COLUMNS.get(step, {}).items()}

    def statements(self, table: str, *, undo: bool) -> Iterable[str]:
        """What to run when the queue's table has this name."""
        raise NotImplementedError

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The columns. Other objects are no part of a model's state."""
        there = state.models[app_label, self.name_lower].fields
        for name, field in self.columns.items():
            if name not in there:
                state.add_field(app_label, self.name_lower, name, field.clone(), preserve_default=True)

    def database_forwards(
        self, app_label: str, schema_editor: Editor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Do it."""
        self._run(app_label, schema_editor, to_state, undo=False)

    def database_backwards(
        self, app_label: str, schema_editor: Editor, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        """Undo it."""
        self._run(app_label, schema_editor, to_state, undo=True)

    def _run(self, app_label: str, editor: Editor, state: ProjectState, *, undo: bool) -> None:
        model = state.apps.get_model(app_label, self.name)
        if self.allow_migrate_model(editor.connection.alias, model) and _lives_on(editor.connection, model):
            table = model._meta.db_table
            _patiently(editor, table, list(self.statements(table, undo=undo)))


def _patiently(editor: Editor, table: str, statements: Sequence[str]) -> None:
    """Run statements that lock a queue's table: all who use it wait behind a lock that waits, so it waits briefly."""
    for tries in range(TRIES, 0, -1):
        try:
            _run_once(editor, statements)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != LOCKED:
                raise
            if tries == 1:
                raise OperationalError(
                    f"the queue's table {table} was locked by others each of {TRIES} times, for {LOCK_TIMEOUT}: "
                    "end the transactions that hold it (pg_stat_activity shows them), and migrate again"
                ) from error
            time.sleep(PAUSE)
        else:
            return


def _run_once(editor: Editor, statements: Sequence[str]) -> None:
    if editor.collect_sql:
        for statement in statements:
            editor.execute(statement)
        return
    connection = editor.connection
    with transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('lock_timeout'), set_config('lock_timeout', %s, true)", [LOCK_TIMEOUT]
        )
        before, _ = cursor.fetchone()
        for statement in statements:
            editor.execute(statement)
        cursor.execute("SELECT set_config('lock_timeout', %s, true)", [before])


class InstallQueue(QueueOperation):
    """Make a table a queue: numbers, checks, indexes and the bell. Rows that are there stay, in their order."""

    category = OperationCategory.ADDITION

    def __init__(self, name: str, version: int = 1) -> None:
        self.version = version
        super().__init__(name)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a migration says it."""
        return type(self).__qualname__, [], {"name": self.name, "version": self.version}

    @property
    def steps(self) -> Iterable[int]:
        """All up to the version."""
        return range(1, self.version + 1)

    def statements(self, table: str, *, undo: bool) -> Iterable[str]:
        """All steps; undone the last one first."""
        steps = reversed(list(self.steps)) if undo else self.steps
        return [schema.install_statement(table, step, undo=undo) for step in steps]

    def reduce(self, operation: Operation, app_label: str) -> bool | list[Operation]:
        """One with what follows on the same queue, where nothing about the model stands between."""
        match operation:
            case UpgradeQueue() if operation.name_lower == self.name_lower:
                return [InstallQueue(name=self.name, version=operation.to)]
            case UninstallQueue() if operation.name_lower == self.name_lower:
                return []
            case DeleteModel() if operation.name_lower == self.name_lower:
                return [operation]  # the objects went with the table
        return super().reduce(operation, app_label)

    def describe(self) -> str:
        """For people."""
        return f"Install queue {self.name} (version {self.version})"

    @property
    def migration_name_fragment(self) -> str:
        """For file names."""
        return f"install_{self.name_lower}"


class UpgradeQueue(QueueOperation):
    """Bring an installed queue from one version to the next, `to`."""

    def __init__(self, name: str, to: int) -> None:
        self.to = to
        super().__init__(name)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a migration says it."""
        return type(self).__qualname__, [], {"name": self.name, "to": self.to}

    @property
    def steps(self) -> Iterable[int]:
        """One."""
        return (self.to,)

    def statements(self, table: str, *, undo: bool) -> Iterable[str]:
        """One step: a queue that is two versions behind gets two of these."""
        return [schema.install_statement(table, self.to, undo=undo)]

    def describe(self) -> str:
        """For people."""
        return f"Upgrade queue {self.name} to version {self.to}"

    @property
    def migration_name_fragment(self) -> str:
        """For file names."""
        return f"upgrade_{self.name_lower}_{self.to}"


class UninstallQueue(QueueOperation):
    """Make a queue a plain table again: the reverse of `InstallQueue`.

    It stands before DeleteModel, where it matters only when it is undone: DeleteModel gives back a plain table.
    """

    category = OperationCategory.REMOVAL

    def __init__(self, name: str, version: int) -> None:
        self.version = version
        super().__init__(name)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a migration says it."""
        return type(self).__qualname__, [], {"name": self.name, "version": self.version}

    def statements(self, table: str, *, undo: bool) -> Iterable[str]:
        """Those of `InstallQueue`, the other way round."""
        return InstallQueue(self.name, self.version).statements(table, undo=not undo)

    def describe(self) -> str:
        """For people."""
        return f"Uninstall queue {self.name} (version {self.version})"

    @property
    def migration_name_fragment(self) -> str:
        """For file names."""
        return f"uninstall_{self.name_lower}"


class RenameQueue(QueueOperation):
    """Rename a table's objects after the table itself: their names still fit `old_table`.

    It stands behind RenameModel or AlterModelTable. The new names follow from the model as it is there.
    """

    def __init__(self, name: str, old_table: str) -> None:
        self.old_table = old_table
        super().__init__(name)

    def deconstruct(self) -> tuple[str, list[Any], dict[str, Any]]:
        """As a migration says it."""
        return type(self).__qualname__, [], {"name": self.name, "old_table": self.old_table}

    def statements(self, table: str, *, undo: bool) -> Iterable[str]:
        """Undone while the table still has its new name."""
        old, new = (table, self.old_table) if undo else (self.old_table, table)
        return schema.rename_statements(table, old, new)

    def describe(self) -> str:
        """For people."""
        return f"Rename the objects of queue {self.name}, which fit the table {self.old_table}"

    @property
    def migration_name_fragment(self) -> str:
        """For file names."""
        return f"rename_objects_of_{self.name_lower}"


def _lives_on(connection: BaseDatabaseWrapper, model: type[models.Model]) -> bool:
    """Whether the queue is installed here. Where no queue lives Django may make its table: that is enough there."""
    if connection.vendor != "postgresql" and router.db_for_write(model) == connection.alias:
        raise ImproperlyConfigured(f"{not_postgresql(model, connection)}: {ROUTE_IT}")
    return connection.vendor == "postgresql"


def not_postgresql(model: type[models.Model], connection: BaseDatabaseWrapper) -> str:
    """What is wrong, in words."""
    return (
        f"The queue {model._meta.label} lives in the database {connection.alias!r}, which is {connection.vendor}, but "
        "queues need PostgreSQL"
    )
