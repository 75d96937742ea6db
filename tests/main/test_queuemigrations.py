"""`manage.py queuemigrations`, run as its users run it, and the migrations it makes, migrated."""

from typing import Any

import pytest

from tests.fixtures.projects import Project

POST = """
    class Post(BaseQueue):
        pass
"""
LETTER = POST.replace("Post", "Letter")
VERSIONS = """
    SELECT conrelid::regclass::text FROM pg_constraint
    WHERE contype = 'c' AND obj_description(oid, 'pg_constraint') = 'tpq 3' ORDER BY 1
"""
TABLES = (
    "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'django_migrations'"
)
INDEXES = (
    "SELECT indexname::text FROM pg_indexes WHERE tablename = %s AND indexname NOT LIKE '%%pkey' ORDER BY 1"
)
NOTHING = "No changes detected"


def queues(project: Project, alias: str = "default") -> list[str]:
    """The tables that are installed queues."""
    return [name for (name,) in project.sql(VERSIONS, alias=alias)]


def tables(project: Project, alias: str = "default") -> set[str]:
    return {name for (name,) in project.sql(TABLES, alias=alias)}


def indexes(project: Project, table: str) -> list[str]:
    return [name for (name,) in project.sql(INDEXES, table)]


def made_and_migrated(project: Project, models: str, **options: Any) -> None:
    project.models(models)
    project.manage("queuemigrations", **options)
    project.manage("migrate")


def route_to(project: Project, alias: str) -> None:
    """Send the app's models to one alias and nothing else there."""
    project.write(
        "routers.py",
        f"""
        class Router:
            def db_for_write(self, model, **hints):
                return "{alias}" if model._meta.app_label == "shop" else None

            db_for_read = db_for_write

            def allow_migrate(self, db, app_label, **hints):
                return (db == "{alias}") == (app_label == "shop")
        """,
    )
    project.configure('DATABASE_ROUTERS = ["routers.Router"]')


# A new queue ----------------------------------------------------------------------------------------------


def test_it_makes_migrations_that_install_and_then_nothing_is_left_to_make(project):
    project.app("Order")
    project.configure('INSTALLED_APPS += ["Order"]')
    project.models("class Select(BaseQueue):\n    pass\n", app="Order")
    project.models(
        """
        class Post(BaseQueue):
            answer_to = models.ForeignKey("self", models.SET_NULL, null=True, db_constraint=False)
            tenant = models.CharField(max_length=50, db_index=True)

        class Mail(BaseQueue):
            class Meta:
                db_table = "Mail of the shop"
        """
    )
    assert "Install queue Mail (version 3)" in project.manage("queuemigrations", "--check", code=1).stdout
    project.manage("queuemigrations", "--dry-run")
    assert project.migrations() == []

    project.manage("queuemigrations", "shop")
    assert (project.migrations(), project.migrations("Order")) == (["0001_initial"], [])
    project.manage("queuemigrations")
    project.manage("migrate")
    assert queues(project) == ['"Mail of the shop"', '"Order_select"', "shop_post"]
    for command in ("queuemigrations", "makemigrations"):
        assert NOTHING in project.manage(command, "--check").stdout

    project.manage("migrate", "Order", "zero")
    project.manage("migrate", "shop", "zero")
    assert tables(project) == {"tpq_consumer"}
    project.manage("migrate")
    assert len(queues(project)) == 3


def test_it_has_the_options_of_makemigrations(project):
    project.models(POST)
    project.manage("queuemigrations", "--name", "first")
    project.manage("queuemigrations", "shop", "--empty", "--name", "second")
    project.models(POST + "        tenant = models.TextField(default='')\n")
    project.manage("queuemigrations", "--update")
    assert project.migrations() == ["0001_first", "0002_post_tenant"]
    assert "queues" in project.manage("queuemigrations", "--help").stdout


@pytest.mark.parametrize("project", [("default", "far")], indirect=True)
def test_a_queue_is_installed_where_the_router_sends_it(project):
    route_to(project, "far")
    made_and_migrated(project, POST)
    project.manage("migrate", "--database", "far")
    assert (tables(project), tables(project, "far")) == ({"tpq_consumer"}, {"shop_post"})
    assert queues(project, "far") == ["shop_post"]
    told = project.manage(
        "shell", "-c", "from shop.models import Post as P; P.objects.enqueue(1); print(P.objects.dequeue())"
    )
    assert told.stdout.endswith("1\n")
    project.manage("migrate", "shop", "zero", "--database", "far")
    assert tables(project, "far") == set()


# A queue that plain makemigrations made -------------------------------------------------------------------


def test_a_queue_of_plain_makemigrations_is_reported_and_repaired_with_rows_in_it(project):
    project.models(POST)
    project.manage("makemigrations")
    assert "tpq.W001" in project.manage("migrate").stderr
    project.sql("INSERT INTO shop_post (body) SELECT to_jsonb(n) FROM generate_series(1, 3) AS n")
    used = project.manage("shell", "-c", "from shop.models import Post; Post.objects.dequeue()", code=1)
    assert "UnknownQueue: the table 'shop_post' has not been installed as a queue" in used.stderr
    assert used.stderr.endswith("run `manage.py queuemigrations` and `manage.py migrate`\n")

    assert not project.manage("queuemigrations").stderr
    assert project.migrations() == ["0001_initial", "0002_install_post"]
    assert "tpq.W004" in project.manage("migrate").stderr
    assert not project.manage("check", "--database", "default").stderr
    taken = "from shop.models import Post; Post.objects.enqueue(4); print(Post.objects.dequeue_many(9))"
    assert project.manage("shell", "-c", taken).stdout.endswith("[1, 2, 3, 4]\n")

    project.sql("INSERT INTO shop_post (body) VALUES ('5')")
    project.manage("migrate", "shop", "0001")
    assert (queues(project), project.sql("SELECT body FROM shop_post")) == ([], [(5,)])
    project.manage("migrate")
    assert queues(project) == ["shop_post"]


def test_a_model_that_becomes_a_queue_is_installed_and_one_that_is_none_any_more_uninstalled(project):
    plain = "class Post(models.Model):\n    tenant = models.TextField()\n"
    project.models(plain)
    project.manage("makemigrations")
    project.manage("migrate")
    project.sql("INSERT INTO shop_post (tenant) VALUES ('ada')")
    made_and_migrated(project, POST + "        tenant = models.TextField()\n")
    assert project.sql("SELECT tenant, seq, state FROM shop_post") == [("ada", 1, "ready")]
    assert queues(project) == ["shop_post"]
    made_and_migrated(project, plain)
    assert project.sql("SELECT * FROM shop_post") == [(1, "ada")]
    assert project.sql("SELECT to_regproc('tpq_ring')") == [(None,)]
    project.manage("migrate", "shop", "0002")
    assert queues(project) == ["shop_post"]


def test_a_setting_makes_makemigrations_and_migrate_see_to_queues(project):
    project.models(POST)
    project.manage("makemigrations")
    project.manage("migrate")
    project.configure("TPQ_MAKEMIGRATIONS = True")
    assert "have changes that are not yet reflected" in project.manage("migrate").stdout
    assert "Install queue Post (version 3)" in project.manage("makemigrations").stdout
    assert "have changes" not in project.manage("migrate").stdout
    assert queues(project) == ["shop_post"]


# A queue that changes -------------------------------------------------------------------------------------


def test_a_renamed_model_and_a_renamed_table_take_the_objects_along(project):
    made_and_migrated(project, POST)
    of_post = indexes(project, "shop_post")
    made_and_migrated(project, LETTER, answers="y\n")
    assert project.migrations()[1:] == ["0002_rename_post_letter_rename_objects_of_letter"]
    of_letter = indexes(project, "shop_letter")
    assert of_letter == [name.replace("post", "letter") for name in of_post]

    moved = LETTER.replace("pass", "class Meta:\n            db_table = 'Letters'")
    made_and_migrated(project, POST + moved)  # the name Post is free again, and so are its objects' names
    assert queues(project) == ['"Letters"', "shop_post"]
    assert indexes(project, "Letters") == [name.replace("shop_letter", "Letters") for name in of_letter]
    assert NOTHING in project.manage("queuemigrations", "--check").stdout

    project.manage("migrate", "shop", "0001")
    assert (queues(project), indexes(project, "shop_post")) == (["shop_post"], of_post)
    project.manage("migrate", "shop", "zero")
    assert tables(project) == {"tpq_consumer"}


def test_a_queue_that_plain_makemigrations_renamed_is_reported_and_repaired(project):
    made_and_migrated(project, POST)
    project.models(LETTER)
    project.manage("makemigrations", answers="y\n")
    assert "They lack: Rename the objects" in project.manage("migrate").stderr
    project.manage("queuemigrations")
    assert not project.manage("migrate").stderr
    assert indexes(project, "shop_letter")[0] == "shop_letter_due"


def test_columns_are_added_and_queues_deleted_as_with_any_model(project):
    made_and_migrated(project, POST + LETTER)
    project.sql("INSERT INTO shop_post (body) VALUES ('1')")
    made_and_migrated(project, POST + "        tenant = models.TextField(default='ada')\n")
    assert project.sql("SELECT body, tenant FROM shop_post") == [(1, "ada")]
    assert (queues(project), tables(project)) == (["shop_post"], {"shop_post", "tpq_consumer"})
    made_and_migrated(project, "")
    assert tables(project) == {"tpq_consumer"}
    project.manage("migrate", "shop", "0001")
    assert queues(project) == ["shop_letter", "shop_post"]


@pytest.mark.parametrize("project", [("default", "fresh")], indirect=True)
def test_squashed_migrations_install_the_same(project):
    column = "        tenant = models.TextField(default='ada')\n"
    for models in (POST, POST + column, LETTER + column):
        project.models(models)
        project.manage("queuemigrations", answers="y\n")
    before = project.migrations()
    project.manage("migrate")
    project.manage("squashmigrations", "shop", before[-1][:4], "--noinput", "--squashed-name", "squashed")
    assert NOTHING in project.manage("queuemigrations", "--check").stdout
    project.manage("migrate")
    for name in before:
        (project.path / f"shop/migrations/{name}.py").unlink()
    assert NOTHING in project.manage("queuemigrations", "--check").stdout
    assert not project.manage("check").stderr
    project.manage("migrate", "--database", "fresh")
    assert queues(project, "fresh") == ["shop_letter"]
    columns = "SELECT indexdef FROM pg_indexes WHERE tablename = 'shop_letter' ORDER BY 1"
    assert project.sql(columns) == project.sql(columns, alias="fresh")
    project.manage("migrate", "shop", "zero", "--database", "fresh")
    assert tables(project, "fresh") == {"tpq_consumer"}


def test_a_queue_behind_the_code_is_reported_and_upgraded(project):
    made_and_migrated(project, POST)
    project.configure(
        """
        from tpq import schema

        first = schema.install_statement
        mark = "COMMENT ON CONSTRAINT shop_post_state ON shop_post IS 'tpq {}'"
        fourth = lambda undo: mark.format(3 if undo else 4)
        schema.VERSION = 4
        schema.install_statement = lambda table, step, *, undo=False: (
            fourth(undo) if step == 4 else first(table, step, undo=undo)
        )
        """
    )
    told = project.manage("check", "--database", "default").stderr
    assert "They lack: Upgrade queue Post to version 4" in told
    assert "of version 3, not 4" in told
    project.manage("queuemigrations")
    assert project.migrations() == ["0001_initial", "0002_upgrade_post_4"]
    project.manage("migrate")
    assert not project.manage("check", "--database", "default").stderr
    assert queues(project) == []
    project.manage("migrate", "shop", "0001")
    assert queues(project) == ["shop_post"]


FIRST_VERSION = """
from django.db import migrations, models
import django.db.models.functions.datetime
import django_tpq.main.leases
from django_tpq.main.operations import InstallQueue


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            name="Post",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(db_default=0, editable=False)),
                ("state", models.CharField(max_length=8, db_default="ready", choices=[
                    (name, name) for name in ("ready", "waiting", "claimed", "dead")])),
                ("priority", models.SmallIntegerField(db_default=0)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                ("claim_no", models.IntegerField(db_default=0, editable=False)),
                ("attempt", models.IntegerField(db_default=0)),
                ("max_attempts", models.IntegerField(db_default=1)),
                ("deliveries", models.SmallIntegerField(db_default=0)),
                ("max_deliveries", models.SmallIntegerField(db_default=3)),
                ("claimed_by", models.BigIntegerField(blank=True, editable=False, null=True)),
                ("unique_key", models.CharField(blank=True, max_length=255, null=True)),
                ("headers", models.JSONField(blank=True, null=True)),
                ("body", models.JSONField(blank=True, null=True)),
                ("error", models.TextField(blank=True, null=True)),
                ("enqueued_at", models.DateTimeField(
                    db_default=django.db.models.functions.datetime.Now(), editable=False)),
            ],
            options={"abstract": False},
        ),
        InstallQueue(name="Post", version=1),
    ]
"""


@pytest.fixture
def first_version(project):
    """A project with a queue that was made by the first version."""
    project.models(POST)
    project.write("shop/migrations/__init__.py", "")
    project.write("shop/migrations/0001_initial.py", FIRST_VERSION)
    project.manage("migrate", "shop")
    return project


def test_columns_that_plain_makemigrations_added_are_in_nobodys_way(first_version):
    first_version.manage("makemigrations", "--name", "mistake")
    assert "AddField" in (first_version.path / "shop/migrations/0002_mistake.py").read_text()
    first_version.manage("migrate", "shop")
    assert "Upgrade queue Post to version 2" in first_version.manage("check").stderr
    first_version.manage("queuemigrations")
    first_version.manage("migrate", "shop")
    assert queues(first_version) == ["shop_post"]
    first_version.manage("migrate", "shop", "0001")
    first_version.manage("migrate", "shop")
    assert "No changes" in first_version.manage("queuemigrations").stdout


@pytest.mark.parametrize("project", [("default", "fresh")], indirect=True)
def test_an_upgrade_is_shown_as_sql_and_survives_a_squash(first_version):
    first_version.manage("queuemigrations")
    assert (
        "ADD COLUMN IF NOT EXISTS errors jsonb" in first_version.manage("sqlmigrate", "shop", "0002").stdout
    )
    first_version.manage("squashmigrations", "shop", "0002", "--noinput")
    assert "No changes" in first_version.manage("queuemigrations").stdout
    first_version.manage("migrate", "shop", "--database", "fresh")
    assert queues(first_version, "fresh") == ["shop_post"]
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = 'shop_post' ORDER BY 1"
    first_version.manage("migrate", "shop")
    assert first_version.sql(columns) == first_version.sql(columns, alias="fresh")


def test_a_queue_of_the_first_version_that_is_renamed_is_upgraded_too(first_version):
    first_version.models(LETTER)
    first_version.manage("queuemigrations", answers="y\n")
    first_version.manage("migrate", "shop")
    assert queues(first_version) == ["shop_letter"]


def test_a_queue_of_the_first_version_gets_its_new_column_by_our_step_alone(first_version):
    project = first_version
    assert "Upgrade queue Post to version 2" in project.manage("check").stderr
    project.manage("queuemigrations")
    assert project.migrations() == ["0001_initial", "0002_upgrade_post_2_upgrade_post_3"]
    written = (project.path / "shop/migrations/0002_upgrade_post_2_upgrade_post_3.py").read_text()
    assert "AddField" not in written
    project.manage("migrate", "shop")
    assert "No changes" in project.manage("queuemigrations").stdout
    columns = "SELECT count(*) FROM information_schema.columns WHERE table_name = 'shop_post'"
    assert project.sql(columns) == [(19,)]
    project.manage("migrate", "shop", "0001")
    project.manage("migrate", "shop")
    assert queues(project) == ["shop_post"]


# No PostgreSQL --------------------------------------------------------------------------------------------


def test_databases_of_another_kind_are_left_alone_where_no_queue_lives(project):
    project.configure("DATABASES['far'] = DATABASES['default']\n")
    project.use_sqlite("default")
    route_to(project, "far")
    made_and_migrated(project, POST)
    project.write("routers.py", "class Router:\n    db_for_write = lambda self, model, **hints: 'far'\n")
    (project.path / "default.sqlite3").unlink()
    project.manage("migrate", "shop")
    project.manage("migrate", "shop", "zero")
