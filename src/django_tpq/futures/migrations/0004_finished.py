"""The calls that have ended well and are kept: a table with a partition a day, which Django can not make."""

from django.db import migrations, models

from tpq.finished import create_statement, drop_statement


def create(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Make it, where there is a PostgreSQL."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(create_statement(), params=None)


def drop(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Undo it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(drop_statement(), params=None)


class Migration(migrations.Migration):
    dependencies = [("tpq_futures", "0003_upgrade_callqueue_2")]

    operations = [
        migrations.CreateModel(
            name="Finished",
            fields=[
                ("token", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("number", models.BigIntegerField()),
                ("queue", models.CharField(max_length=24)),
                ("task", models.CharField(max_length=255)),
                ("priority", models.SmallIntegerField()),
                ("headers", models.JSONField(null=True)),
                ("payload", models.BinaryField()),
                ("record", models.BinaryField()),
                ("errors", models.JSONField(null=True)),
                ("consumer", models.BigIntegerField()),
                ("enqueued_at", models.DateTimeField()),
                ("claimed_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField()),
            ],
            options={"db_table": "tpq_finished", "managed": False, "verbose_name": "finished call"},
        ),
        migrations.RunPython(create, drop),
    ]
