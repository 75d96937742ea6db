from django.db import migrations

from django_tpq.main.operations import UpgradeQueue


class Migration(migrations.Migration):
    dependencies = [("project", "0002_upgrade_queues_2")]

    operations = [UpgradeQueue(name=name, to=3) for name in ("Leased", "Ordered", "Received", "Taken")]
