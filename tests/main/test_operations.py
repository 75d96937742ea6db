"""The operations that install, upgrade and rename queues, and what Django's optimizer makes of them."""

from collections.abc import Callable
from typing import Any

import pytest
from django.db import IntegrityError, connection, models
from django.db.migrations import Migration
from django.db.migrations.operations import AddField, AlterModelTable, CreateModel, DeleteModel, RenameModel
from django.db.migrations.operations.base import Operation
from django.db.migrations.optimizer import MigrationOptimizer
from django.db.migrations.state import ProjectState
from django.db.migrations.writer import OperationWriter

from django_tpq.main.models import BaseQueue
from django_tpq.main.operations import InstallQueue, RenameQueue, UninstallQueue, UpgradeQueue
from tpq import schema

ROWS = "SELECT id, seq FROM shop_post ORDER BY id"
OBJECTS = """
    SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = %(table)s::regclass AND NOT indisprimary
    UNION SELECT conname FROM pg_constraint WHERE conrelid = %(table)s::regclass AND contype = 'c'
    UNION SELECT tgname FROM pg_trigger WHERE tgrelid = %(table)s::regclass
"""


def create(name: str = "Post", **options: Any) -> CreateModel:
    fields = [(field.name, field.clone()) for field in BaseQueue._meta.local_fields]
    return CreateModel(name=name, fields=fields, options=options)


class History:
    """Migrations of an app `shop`, applied one by one."""

    def __init__(self) -> None:
        self.state = ProjectState()
        self._applied: list[tuple[Migration, ProjectState]] = []

    def apply(self, *operations: Operation, collect: bool = False, atomic: bool = True) -> list[str]:
        """Apply a migration; its statements when only collecting them."""
        migration = type("Migration", (Migration,), {"operations": list(operations)})("0001", "shop")
        self._applied.append((migration, self.state.clone()))
        with connection.schema_editor(collect_sql=collect, atomic=atomic) as editor:
            self.state = migration.apply(self.state, editor, collect_sql=collect)
            return editor.collected_sql if collect else []

    def undo(self) -> None:
        """Undo the last migration."""
        migration, before = self._applied.pop()
        with connection.schema_editor() as editor:
            self.state = migration.unapply(before, editor)


@pytest.fixture
def history(db: None) -> History:
    return History()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A schema of two versions; the second adds a column."""
    first = schema.install_statement

    def statement(table: str, step: int, *, undo: bool = False) -> str:
        if step == 1:
            return first(table, step, undo=undo)
        change = "DROP COLUMN second" if undo else "ADD COLUMN second integer"
        mark = f"COMMENT ON CONSTRAINT {table}_state ON {table} IS 'tpq {1 if undo else 2}'"
        return f"ALTER TABLE {table} {change}; {mark}"

    monkeypatch.setattr(schema, "install_statement", statement)


def run(statement: str, values: Any = None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def version(table: str = "shop_post") -> int | None:
    return schema.version(table, connection.cursor)


def names(table: str = "shop_post") -> set[str]:
    return {name for (name,) in run(OBJECTS, {"table": table})}


def optimized(*operations: Operation) -> list[Operation]:
    return MigrationOptimizer().optimize(list(operations), "shop")


def test_an_installed_queue_has_its_version_its_checks_and_its_numbers(history):
    history.apply(create(), InstallQueue("Post", schema.VERSION))
    assert version() == schema.VERSION
    run("INSERT INTO shop_post (body) VALUES ('1'), ('2')")
    assert [seq for _, seq in run(ROWS)] == [1, 2]
    with pytest.raises(IntegrityError, match="shop_post_state"):
        run("INSERT INTO shop_post (state) VALUES ('claimed')")


def test_rows_that_are_there_keep_their_order_and_new_ones_come_behind(history):
    history.apply(create())
    run("INSERT INTO shop_post (body) SELECT '1' FROM generate_series(1, 3)")
    history.apply(InstallQueue("Post", schema.VERSION))
    run("INSERT INTO shop_post (body) VALUES ('2')")
    assert [seq for _, seq in run(ROWS)] == [1, 2, 3, 4]


def test_undoing_an_installation_leaves_the_rows_and_nothing_else(history):
    history.apply(create())
    before = names()
    history.apply(InstallQueue("Post", schema.VERSION))
    assert names() > before
    run("INSERT INTO shop_post (body) VALUES ('1')")
    history.undo()
    assert (version(), names(), len(run(ROWS))) == (None, before, 1)
    history.apply(InstallQueue("Post", schema.VERSION))
    assert version() == schema.VERSION


def test_the_bell_that_queues_share_goes_with_the_last_of_them(history):
    run("CREATE SCHEMA apart; SET LOCAL search_path = apart")  # the tests' own queues ring elsewhere
    rings = "SELECT to_regproc('tpq_ring') IS NOT NULL"
    history.apply(create("Post"), create("Mail"))
    history.apply(InstallQueue("Post", schema.VERSION))
    history.apply(InstallQueue("Mail", schema.VERSION))
    history.undo()
    assert run(rings) == [(True,)]
    history.undo()
    assert run(rings) == [(False,)]


def test_a_deleted_queue_leaves_a_bell_that_disturbs_nobody(history):
    history.apply(create("Post"), InstallQueue("Post", schema.VERSION))
    history.apply(DeleteModel("Post"))
    history.apply(create("Mail"), InstallQueue("Mail", schema.VERSION))
    assert version("shop_mail") == schema.VERSION


@pytest.mark.parametrize(
    "table", ["Posts", "order", "two words", "a.b", "t" * 63, "früh" + "ü" * 20, "t" * 60 + "_Ab"]
)
def test_a_table_may_have_any_name(history, table):
    history.apply(create(db_table=table), InstallQueue("Post", schema.VERSION))
    assert version(table) == schema.VERSION
    history.undo()
    assert not schema.exists(table, connection.cursor)


def test_outside_a_transaction_an_installation_is_whole_or_not_there(transactional_db):
    history = History()
    history.apply(create(), atomic=False)
    try:
        run("CREATE UNIQUE INDEX shop_post_unique ON shop_post (id)")
        with pytest.raises(Exception, match="shop_post_unique"):
            history.apply(InstallQueue("Post", schema.VERSION), atomic=False)
        assert (version(), names()) == (None, {"shop_post_unique"})
        run("DROP INDEX shop_post_unique")
        history.apply(InstallQueue("Post", schema.VERSION), atomic=False)
        assert version() == schema.VERSION
    finally:
        run("DROP TABLE shop_post")


def test_the_statements_can_be_shown_without_being_run(history):
    history.apply(create())
    shown = "\n".join(history.apply(InstallQueue("Post", schema.VERSION), collect=True))
    assert version() is None
    run(shown)
    assert version() == schema.VERSION


@pytest.mark.parametrize("options", [{"managed": False}, {"swappable": "AUTH_USER_MODEL"}])
def test_a_model_that_has_no_table_of_its_own_is_left_alone(history, options):
    history.apply(create(**options), InstallQueue("Post", schema.VERSION))
    history.undo()


def test_an_upgrade_goes_one_step_and_back(history, steps):
    history.apply(create(), InstallQueue("Post", version=1))
    history.apply(UpgradeQueue("Post", to=2))
    assert version() == 2
    run("SELECT second FROM shop_post")
    history.undo()
    assert version() == 1


def test_installing_a_later_version_goes_all_its_steps(history, steps):
    history.apply(create())
    before = names()
    history.apply(InstallQueue("Post", version=2))
    assert version() == 2
    history.undo()
    assert (version(), names()) == (None, before)


@pytest.mark.parametrize(
    ("rename", "name", "table"),
    [
        (RenameModel("Post", "Letter"), "Letter", "shop_letter"),
        (AlterModelTable("Post", "Letters"), "Post", '"Letters"'),
        (AlterModelTable("Post", "l" * 63), "Post", "l" * 63),
    ],
)
def test_a_renamed_table_has_objects_of_its_name_and_gets_the_old_ones_back(history, rename, name, table):
    history.apply(create(), InstallQueue("Post", schema.VERSION))
    before = names()
    history.apply(rename, RenameQueue(name, old_table="shop_post"))
    assert not names(table) & before
    history.apply(create("Other", db_table="shop_post"), InstallQueue("Other", schema.VERSION))
    assert names() == before
    history.undo()
    history.undo()
    assert names() == before


def test_a_renamed_queue_can_still_be_undone(history):
    history.apply(create())
    history.apply(InstallQueue("Post", schema.VERSION))
    history.apply(RenameModel("Post", "Letter"), RenameQueue("Letter", old_table="shop_post"))
    history.undo()
    history.undo()
    assert version() is None


def test_a_deleted_queue_comes_back_as_a_queue(history):
    history.apply(create(), InstallQueue("Post", schema.VERSION))
    history.apply(UninstallQueue("Post", schema.VERSION), DeleteModel("Post"))
    history.undo()
    assert version() == schema.VERSION


def test_a_queue_that_plain_makemigrations_deleted_can_be_undone_to_its_beginning(history):
    history.apply(create(), InstallQueue("Post", schema.VERSION))
    history.apply(DeleteModel("Post"))
    history.undo()
    assert version() is None
    history.undo()
    assert not schema.exists("shop_post", connection.cursor)


def test_a_queue_that_comes_and_goes_is_optimized_away():
    queue = [create(), InstallQueue("Post", schema.VERSION), UpgradeQueue("Post", to=3)]
    assert [operation.describe() for operation in optimized(*queue)][1:] == ["Install queue Post (version 3)"]
    assert optimized(*queue, UninstallQueue("Post", version=2), DeleteModel("Post")) == []
    assert optimized(*queue, DeleteModel("Post")) == []
    others = [UninstallQueue("Mail", version=2), DeleteModel("Mail")]
    assert len(optimized(*queue, *others)) == 4


def test_the_optimizer_keeps_each_operation_on_its_side_of_the_others():
    story = [
        create(),
        InstallQueue("Post", schema.VERSION),
        RenameModel("Post", "Letter"),
        RenameQueue("Letter", "shop_post"),
    ]
    assert optimized(*story) == story


def test_the_optimizer_works_across_the_queues_of_others():
    column = AddField("Post", "tenant", models.TextField())
    assert len(optimized(create("Post"), create("Mail"), InstallQueue("Mail", schema.VERSION), column)) == 3
    assert len(optimized(create("Post"), InstallQueue("Post", schema.VERSION), column)) == 3


@pytest.mark.parametrize(
    ("operation", "text", "fragment"),
    [
        (InstallQueue("Post", version=3), "Install queue Post (version 3)", "install_post"),
        (UninstallQueue("Post", version=1), "Uninstall queue Post (version 1)", "uninstall_post"),
        (UpgradeQueue("Post", to=2), "Upgrade queue Post to version 2", "upgrade_post_2"),
        (
            RenameQueue("Post", old_table="old"),
            "Rename the objects of queue Post, which fit the table old",
            "rename_objects_of_post",
        ),
    ],
)
def test_an_operation_is_described_named_and_written(operation, text, fragment):
    assert (operation.describe(), operation.migration_name_fragment) == (text, fragment)
    assert (operation.reversible, operation.reduces_to_sql, operation.elidable) == (True, True, False)
    assert (operation.references_model("post", "shop"), operation.references_model("mail", "shop")) == (
        True,
        False,
    )
    assert eval_written(operation).deconstruct() == operation.deconstruct()


def eval_written(operation: Operation) -> Operation:
    """What a migration file gets back."""
    text, imports = OperationWriter(operation, indentation=0).serialize()
    scope: dict[str, Any] = {}
    exec("\n".join(imports) + f"\nwritten = [{text}][0]", scope)
    written: Callable[..., Operation] = scope["written"]
    return written
