from django.db import migrations, models


class Migration(migrations.Migration):
    """How far calls have come."""

    dependencies = [("tpq_futures", "0006_schedules")]
    operations = [
        migrations.CreateModel(
            name="Progress",
            fields=[
                ("token", models.CharField(max_length=22, primary_key=True, serialize=False)),
                ("done", models.FloatField()),
                ("total", models.FloatField(null=True)),
                ("text", models.TextField()),
                ("at", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "tpq_progress", "verbose_name_plural": "progress"},
        ),
    ]
