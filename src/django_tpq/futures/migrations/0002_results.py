"""Results are quicker to keep where tokens are compared as bytes and have no index for LIKE."""

from django.db import migrations

from tpq.statements import compose


def tune(apps, schema_editor):  # type: ignore[no-untyped-def]
    """Tell PostgreSQL, where there is one."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(compose("results/tune", "tpq_result"), params=None)


class Migration(migrations.Migration):
    dependencies = [("tpq_futures", "0001_initial")]

    operations = [migrations.RunPython(tune, migrations.RunPython.noop)]
