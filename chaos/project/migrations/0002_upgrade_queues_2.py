from django.db import migrations

from django_tpq.main.operations import UpgradeQueue


class Migration(migrations.Migration):
    dependencies = [("project", "0001_initial")]

    operations = [UpgradeQueue(name=name, to=2) for name in ("Leased", "Ordered", "Received", "Taken")]
