from django.db import migrations, models


class Migration(migrations.Migration):
    """Keys that are held for a period."""

    dependencies = [("tpq_futures", "0007_progress")]
    operations = [
        migrations.CreateModel(
            name="Key",
            fields=[
                ("key", models.CharField(max_length=255, primary_key=True, serialize=False)),
                ("queue", models.CharField(max_length=24)),
                ("number", models.BigIntegerField()),
                ("token", models.CharField(max_length=22)),
                ("until", models.DateTimeField(db_index=True)),
            ],
            options={"db_table": "tpq_key"},
        ),
    ]
