"""What is read from the migrations of queues, and what they are found to lack."""

from typing import Any

from django.db import migrations
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.graph import MigrationGraph
from django.db.migrations.operations.base import Operation

from django_tpq.main.autodetector import Migrated, QueueAutodetector, lacking, migrated, see_to_queues
from django_tpq.main.operations import InstallQueue, RenameQueue, UninstallQueue, UpgradeQueue
from tpq import schema


def history(*operations: Operation) -> dict[str, Migrated]:
    """What an app's migrations leave, one operation in each."""
    graph = MigrationGraph()
    for number, operation in enumerate(operations):
        made = type("Migration", (migrations.Migration,), {"operations": [operation]})(f"{number:04}", "shop")
        graph.add_node(("shop", made.name), made)
        if number:
            graph.add_dependency(made, ("shop", made.name), ("shop", f"{number - 1:04}"))
    return migrated(graph, "shop")


def model(name: str, **options: Any) -> migrations.CreateModel:
    return migrations.CreateModel(name, fields=[], options=options)


def test_what_is_installed_follows_a_model_through_its_history():
    first = [model("Post"), InstallQueue("Post")]
    assert history(*first) == {"post": Migrated("Post", None, 1, "shop_post")}
    renamed = [*first, migrations.RenameModel("Post", "Letter")]
    assert history(*renamed) == {"letter": Migrated("Letter", None, 1, "shop_post")}
    fitting = [*renamed, RenameQueue("Letter", "shop_post"), UpgradeQueue("Letter", to=2)]
    assert history(*fitting) == {"letter": Migrated("Letter", None, 2, "shop_letter")}
    moved = [*fitting, migrations.AlterModelTable("Letter", "letters")]
    assert history(*moved) == {"letter": Migrated("Letter", "letters", 2, "shop_letter")}
    assert history(*moved, migrations.DeleteModel("Letter")) == {}
    assert history(*moved, migrations.DeleteModel("Letter"), model("Letter"))["letter"].version == 0


def test_what_is_installed_is_found_where_database_and_state_are_separated():
    apart = migrations.SeparateDatabaseAndState([InstallQueue("Post")], [model("Post", db_table="posts")])
    assert history(apart) == {"post": Migrated("Post", "posts", 1, "posts")}


def test_operations_on_models_that_are_not_there_are_passed_over():
    assert history(InstallQueue("Post"), migrations.RenameModel("Post", "Letter")) == {}


def test_a_queue_that_is_two_versions_behind_lacks_two_steps(monkeypatch):
    monkeypatch.setattr(schema, "VERSION", 3)
    missing = lacking("Post", "letters", Migrated("Post", "letters", 1, "shop_post"))
    assert [operation.describe() for operation in missing] == [
        "Rename the objects of queue Post, which fit the table shop_post",
        "Upgrade queue Post to version 2",
        "Upgrade queue Post to version 3",
    ]


def test_an_uninstalled_queue_is_a_plain_table():
    gone = history(model("Post"), InstallQueue("Post"), UninstallQueue("Post", version=1))
    assert gone == {"post": Migrated("Post", None, 0, "")}
    assert [type(operation) for operation in lacking("Post", "shop_post", gone["post"])] == [InstallQueue]


def test_our_autodetector_goes_on_top_of_another_one_and_commands_share_it():
    others = type("Others", (MigrationAutodetector,), {})
    make, migrate, own = (type("Command", (), {"autodetector": others}) for _ in range(3))
    own.autodetector = MigrationAutodetector
    see_to_queues(make, migrate, own)
    assert issubclass(make.autodetector, QueueAutodetector)
    assert issubclass(make.autodetector, others)
    assert make.autodetector is migrate.autodetector
    assert not issubclass(own.autodetector, others)
