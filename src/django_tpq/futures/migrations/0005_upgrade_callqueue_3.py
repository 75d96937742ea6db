from django.db import migrations

from django_tpq.main.operations import UpgradeQueue


class Migration(migrations.Migration):
    dependencies = [("tpq_futures", "0004_finished")]

    operations = [UpgradeQueue(name="CallQueue", to=3)]
