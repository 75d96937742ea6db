"""Queues in a database of their own, by the router that comes with us."""

import pytest

pytestmark = pytest.mark.parametrize("project", [("default", "queues")], indirect=True)

CONFIGURATION = """
    INSTALLED_APPS.insert(1, "django_tpq.futures")
    DATABASE_ROUTERS = ["django_tpq.main.routers.QueueRouter"]
    TPQ_DATABASE = "queues"
"""
MODELS = """
    class Orders(BaseQueue):
        pass

    class Customer(models.Model):
        pass
"""
TASKS = """
    from django_tpq.futures import task

    @task
    def double(number):
        return 2 * number
"""
USE = """
    from shop.models import Customer, Orders
    from shop.tasks import double
    Customer.objects.create()
    Orders.objects.enqueue(7)
    future = double.delay(21)
    from django.core.management import call_command
    import subprocess, sys
    subprocess.run([sys.executable, "manage.py", "executor", "--once"], check=True)
    print(Orders.objects.dequeue(), future.result(wait=20))
"""
TABLES = "SELECT array_agg(table_name::text) FROM information_schema.tables WHERE table_schema = 'public'"


def test_what_is_ours_lives_in_its_database_and_the_rest_stays(project):
    project.configure(CONFIGURATION)
    project.models(MODELS)
    project.write("shop/tasks.py", TASKS)
    project.manage("queuemigrations")
    for alias in ("default", "queues"):
        project.manage("migrate", "--database", alias)
    tables = {alias: set(project.sql(TABLES, alias=alias)[0][0]) for alias in ("default", "queues")}
    assert "shop_customer" in tables["default"]
    assert {"shop_orders", "tpq_call", "tpq_consumer", "tpq_result", "tpq_task"} <= tables["queues"]
    assert not {table for table in tables["default"] if table.startswith("tpq_") or table == "shop_orders"}
    project.write("use.py", USE)
    told = project.manage("shell", "-c", "exec(open('use.py').read())")
    assert told.stdout.splitlines()[-1] == "7 42"
