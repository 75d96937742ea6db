from django.db import migrations, models
from django.db.models.functions import Now


class Migration(migrations.Migration):
    """The consumers' table: plain columns, at home in any database."""

    initial = True
    dependencies = []
    operations = [
        migrations.CreateModel(
            name="Consumer",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("beat_at", models.DateTimeField(db_default=Now())),
                ("lost_at", models.DateTimeField(null=True)),
                ("started_at", models.DateTimeField(db_default=Now())),
                ("host", models.CharField(max_length=255)),
                ("pid", models.IntegerField()),
                ("version", models.CharField(max_length=64)),
                ("queues", models.JSONField()),
                ("running", models.JSONField(db_default=models.Value({}, output_field=models.JSONField()))),
                ("state", models.CharField(db_default="", max_length=200)),
            ],
            options={"db_table": "tpq_consumer"},
        ),
    ]
