"""The queue of calls, results, and the statistics of tasks."""

import django.db.models.functions.datetime
from django.db import migrations, models

from django_tpq.main.operations import InstallQueue
from tpq.statements import compose


def create_view(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Create the view of tasks, where there is PostgreSQL."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(compose("tallies/view", "tpq_tally"), params=None)


def drop_view(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Drop it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP VIEW tpq_task", params=None)


class Migration(migrations.Migration):
    initial = True

    dependencies = [("tpq", "0001_initial")]

    operations = [
        migrations.CreateModel(
            name="Task",
            fields=[
                ("name", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("running", models.BigIntegerField()),
                ("total", models.BigIntegerField()),
                ("failures", models.BigIntegerField()),
                ("last_seen", models.DateTimeField(null=True)),
                ("first_seen", models.DateTimeField(null=True)),
            ],
            options={
                "db_table": "tpq_task",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="CallQueue",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("seq", models.BigIntegerField(db_default=0, editable=False)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "ready"),
                            ("waiting", "waiting"),
                            ("claimed", "claimed"),
                            ("dead", "dead"),
                        ],
                        db_default="ready",
                        max_length=8,
                    ),
                ),
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
                (
                    "enqueued_at",
                    models.DateTimeField(
                        db_default=django.db.models.functions.datetime.Now(), editable=False
                    ),
                ),
                ("task", models.CharField(max_length=255)),
                ("token", models.CharField(max_length=22)),
                ("payload", models.BinaryField()),
            ],
            options={
                "verbose_name": "call",
                "db_table": "tpq_call",
            },
        ),
        InstallQueue(name="CallQueue", version=1),
        migrations.CreateModel(
            name="Result",
            fields=[
                ("token", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("record", models.BinaryField()),
                ("expires_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "db_table": "tpq_result",
            },
        ),
        migrations.CreateModel(
            name="Tally",
            fields=[
                ("name", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("total", models.BigIntegerField(default=0)),
                ("failures", models.BigIntegerField(default=0)),
                ("first_seen", models.DateTimeField()),
                ("last_seen", models.DateTimeField()),
            ],
            options={
                "verbose_name_plural": "tallies",
                "db_table": "tpq_tally",
            },
        ),
        migrations.RunPython(create_view, drop_view),
    ]
