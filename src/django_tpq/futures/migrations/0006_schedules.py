"""The schedules of periodic tasks, with an index and a trigger that Django can not make."""

import datetime

from django.db import migrations, models

import django_tpq.futures.timetable
from tpq.schedules import install_statement, uninstall_statement


def install(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Make them, where there is a PostgreSQL."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(install_statement(), params=None)


def uninstall(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Undo it."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(uninstall_statement(), params=None)


class Migration(migrations.Migration):
    dependencies = [
        ("tpq_futures", "0005_upgrade_callqueue_3"),
    ]

    operations = [
        migrations.CreateModel(
            name="Schedule",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("name", models.CharField(max_length=255)),
                (
                    "source",
                    models.CharField(
                        choices=[("code", "code"), ("people", "people")],
                        default="people",
                        editable=False,
                        max_length=6,
                    ),
                ),
                (
                    "task",
                    models.CharField(
                        help_text="The task's name, such as myapp.tasks.report.", max_length=255
                    ),
                ),
                (
                    "cron",
                    models.CharField(
                        blank=True,
                        default="",
                        help_text="Minute, hour, day of the month, month, day of the week: 30 2 * * MON-FRI.",
                        max_length=255,
                    ),
                ),
                (
                    "every",
                    models.DurationField(blank=True, help_text="Instead of cron: 00:05:00.", null=True),
                ),
                (
                    "start_at",
                    models.DateTimeField(blank=True, help_text="With every: the first slot.", null=True),
                ),
                (
                    "timezone",
                    models.CharField(
                        default=django_tpq.futures.timetable.project_time_zone,
                        help_text="Of cron: Europe/Berlin, for example.",
                        max_length=64,
                    ),
                ),
                ("args", models.JSONField(blank=True, default=list)),
                ("kwargs", models.JSONField(blank=True, default=dict)),
                (
                    "misfire",
                    models.CharField(
                        choices=[("skip", "skip"), ("latest", "latest"), ("all", "all")],
                        default="latest",
                        max_length=6,
                    ),
                ),
                ("grace", models.DurationField(default=datetime.timedelta(seconds=60))),
                (
                    "overlap",
                    models.CharField(
                        choices=[("skip", "skip"), ("queue", "queue")], default="skip", max_length=5
                    ),
                ),
                ("jitter", models.DurationField(default=datetime.timedelta(0))),
                (
                    "queue",
                    models.CharField(
                        blank=True, default="", help_text="Empty: as the task says.", max_length=24
                    ),
                ),
                (
                    "priority",
                    models.SmallIntegerField(blank=True, help_text="Empty: as the task says.", null=True),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("next_at", models.DateTimeField(editable=False, null=True)),
                ("last_at", models.DateTimeField(editable=False, null=True)),
                ("last_call", models.CharField(default="", editable=False, max_length=64)),
                ("skipped_at", models.DateTimeField(editable=False, null=True)),
                ("error", models.TextField(default="", editable=False)),
            ],
            options={
                "db_table": "tpq_schedule",
                "ordering": ("name", "source"),
                "constraints": [
                    models.UniqueConstraint(fields=("source", "name"), name="tpq_schedule_name"),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(
                                ("cron", ""),
                                ("every__gte", datetime.timedelta(seconds=1)),
                                ("every__isnull", False),
                            ),
                            models.Q(models.Q(("cron", ""), _negated=True), ("every", None)),
                            _connector="OR",
                        ),
                        name="tpq_schedule_rule",
                        violation_error_message="Give a cron expression, or every so often (from a second on): one of them.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("grace__range", (datetime.timedelta(0), datetime.timedelta(days=36500))),
                            ("jitter__range", (datetime.timedelta(0), datetime.timedelta(days=36500))),
                        ),
                        name="tpq_schedule_durations",
                        violation_error_message="Grace and jitter are from nothing to a hundred years.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("misfire__in", ("skip", "latest", "all")),
                            ("overlap__in", ("skip", "queue")),
                            ("source__in", ("code", "people")),
                        ),
                        name="tpq_schedule_choices",
                    ),
                ],
            },
        ),
        migrations.RunPython(install, uninstall),
    ]
