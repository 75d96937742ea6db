"""Django on the embedded server. Each test is a process with a project of its own."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded.conftest import SOURCE

SETTINGS = """
from django.conf import settings
from django_tpq.embedded import embedded
PATH = {path!r}
settings.configure(
    DATABASES={{"default": embedded(PATH, parameters={{"fsync": "off"}}, {options})}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth"],
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
)
import os, sys, django
django.setup()
from django.core.management import call_command
from django.db import connection, connections
def one(sql):
    with connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchone()[0]
"""


@pytest.fixture
def project(bare: Path) -> Callable[..., str]:
    """Run Python in a project; what it prints."""

    def project(code: str, options: str = "", at: Path = bare) -> str:
        program = SETTINGS.format(path=str(at), options=options) + code
        environment = os.environ | {"PYTHONPATH": str(SOURCE), "PYTHONWARNINGS": "error"}
        done = subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            env=environment,
            timeout=50,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return project


def test_settings_and_commands_start_nothing(project, bare):
    project("call_command('check'); import django.db.models; connections['default'].vendor")
    assert not bare.exists()


def test_reading_settings_does_not_load_the_database_layer():
    code = "import sys, django_tpq.embedded; assert not [name for name in sys.modules if name.startswith('django.db')]"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | {"PYTHONPATH": str(SOURCE)})


def test_the_first_connection_starts_it(project, path):
    code = """
print(one("SELECT 6 * 7"), connection.settings_dict["HOST"] == f"{PATH}/socket", connection.settings_dict["USER"])
"""
    assert project(code) == "42 True postgres"


def test_the_orm_and_the_test_runner_work(project, path):
    code = """
import copy, io
from django.test.utils import setup_databases, teardown_databases
copy.deepcopy(settings.DATABASES)
old = setup_databases(verbosity=0, interactive=False)
from django.contrib.auth.models import User
User.objects.create(username="Änne")
print(User.objects.filter(username__icontains="äNNE").count(), connection.settings_dict["NAME"])
teardown_databases(old, verbosity=0)
print(connection.settings_dict["NAME"], one("SELECT count(*) FROM pg_database WHERE datname LIKE 'test%'"))
"""
    assert project(code) == "1 test_postgres\npostgres 0"


def test_a_named_database_is_created(project, path):
    assert project("print(one('SELECT current_database()'))", "name='my shop'") == "my shop"
    assert project("print(one('SELECT current_database()'))", "name='my shop'") == "my shop"


def test_a_pool_works(project, path):
    pytest.importorskip("psycopg_pool", reason="needs psycopg_pool")
    assert project("print(one('SELECT 42')); connection.close_pool()", "OPTIONS={'pool': True}") == "42"


def test_dbshell_starts_it_and_needs_no_psql(project, path):
    code = """
os.environ["PATH"] = "/usr/sbin:/sbin"
args, env = connection.client.settings_to_cmd_args_env(connection.settings_dict, ["-c", "SELECT 1"])
host = connection.settings_dict["HOST"]
assert os.path.exists(f"{host}/.s.PGSQL.5432")
assert args[1:] == ["-U", "postgres", "-h", host, "-p", "5432", "-c", "SELECT 1", "postgres"], args
assert os.path.isabs(args[0]) and os.access(args[0], os.X_OK), args
call_command("dbshell", "--", "-Atc", "SELECT 6 * 7")
"""
    assert project(code) == "42"


def test_a_killed_server_comes_back_with_the_next_connection(project, path):
    code = """
import signal, time
pid = one("SELECT pg_postmaster_start_time()")
os.kill(int(open(f"{PATH}/data/postmaster.pid").readline()), signal.SIGKILL)
for _ in range(100):
    try:
        connection.close()
        assert one("SELECT pg_postmaster_start_time()") > pid
        break
    except django.db.OperationalError:
        time.sleep(0.02)
else:
    raise AssertionError("it did not come back")
"""
    project(code)


def test_an_error_is_djangos(project, bare):
    code = """
from tpq.embedded import EmbeddedError
try:
    one("SELECT 1")
except django.db.utils.OperationalError as error:
    assert isinstance(error.__cause__, EmbeddedError) and str(error) == str(error.__cause__)
    print(error)
"""
    assert "looked at: /nowhere" in project(code, "binaries='/nowhere'")


def test_two_servers_have_two_test_databases(project, room):
    code = """
from django.db.backends.base.creation import BaseDatabaseCreation
from django.test.utils import get_unique_databases_and_mirrors
settings.DATABASES["other"] = {**settings.DATABASES["default"], **embedded(PATH + "-other")}
connections.configure_settings(None)
from django.db.utils import ConnectionHandler
handler = ConnectionHandler(settings.DATABASES)
signatures = {handler[alias].creation.test_db_signature() for alias in ("default", "other")}
print(len(signatures))
"""
    assert project(code) == "2"
