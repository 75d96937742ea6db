"""A start that can not work: one clear line and exit code 1, never a traceback."""

import os
import subprocess
import sys

import psycopg
import pytest
from django.core.management import CommandError, call_command

MODES = pytest.mark.parametrize("mode", [(), ("-f",), ("--status",)], ids=lambda m: "".join(m) or "-")


@pytest.fixture
def shop(project):
    """A project that has the futures among its apps; nothing is migrated."""
    project.configure('INSTALLED_APPS.append("django_tpq.futures")\n')
    return project


@pytest.fixture
def refused(shop):
    """Start an executor that must not start; the one line that it says."""

    def refused(*arguments: str) -> str:
        done = shop.manage("executor", *arguments, code=1)
        assert "Traceback" not in done.stdout + done.stderr
        lines = done.stderr.strip().splitlines()
        assert lines[-1].startswith("CommandError: "), done.stderr
        assert [line for line in lines if line.startswith("CommandError")] == lines[-1:]
        return lines[-1]

    return refused


@MODES
def test_tables_that_are_not_migrated(refused, mode):
    assert "manage.py migrate" in refused(*mode)


def test_no_postgresql(shop, refused):
    nowhere = str(shop.path / "nowhere")
    entry = {"ENGINE": "django.db.backends.postgresql", "HOST": nowhere}
    shop.configure(f'DATABASES["default"] |= {entry!r}\n')
    assert nowhere in refused()


def test_an_embedded_postgresql_without_programs(shop, refused):
    shop.configure(
        """
        from django_tpq.embedded import embedded
        import os
        os.environ.pop("DATABASE_URL", None)
        DATABASES["default"] = embedded("postgres", binaries="nowhere")
        """
    )
    assert "nowhere" in refused()


@pytest.fixture
def guest(own_server):
    """A user who needs a password on a server of our own; the server's directory."""
    rules = own_server.data / "pg_hba.conf"
    before = rules.read_text()
    with own_server.connect() as admin:
        admin.execute("CREATE ROLE guest LOGIN PASSWORD 'right'")
        rules.write_text(f"local all guest scram-sha-256\n{before}")
        admin.execute("SELECT pg_reload_conf()")
        yield str(own_server.room)
        rules.write_text(before)
        admin.execute("SELECT pg_reload_conf()")
        admin.execute("DROP ROLE guest")


def test_a_wrong_password(shop, refused, guest):
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(host=guest, user="guest", password="wrong", dbname="postgres")
    entry = {"ENGINE": "django.db.backends.postgresql", "HOST": guest, "USER": "guest", "PASSWORD": "wrong"}
    shop.configure(f'DATABASES["default"] |= {entry!r}\nDATABASES["default"]["NAME"] = "postgres"\n')
    said = refused()
    assert "password authentication failed" in said
    assert "wrong" not in said


def test_a_server_that_is_not_postgresql(shop, refused):
    shop.use_sqlite("default")
    assert "PostgreSQL" in refused()


def test_a_second_database_that_is_not_postgresql(shop, refused):
    shop.use_sqlite("light")
    assert "'light'" in refused("--database", "light")


def test_a_database_that_is_not_in_the_settings(shop, refused):
    assert "nowhere" in refused("--database", "nowhere")


def test_a_queue_that_is_not_in_the_settings(refused):
    assert "no such queue in the database 'default': strange (TPQ_QUEUES has: default)" in refused(
        "--queue", "strange"
    )


def test_a_cache_of_one_process_named_for_results(shop, refused):
    shop.configure('TPQ_RESULT_CACHE = "default"\n')
    shop.manage("migrate")
    assert "TPQ_RESULT_CACHE is 'default', but that cache lives in one process only" in refused()


def test_a_log_file_that_can_not_be_written(shop, refused):
    shop.manage("migrate")
    log = shop.path / "nowhere/log"
    assert str(log) in refused(f"--logfile={log}")


def test_a_tasks_module_that_can_not_be_imported(shop, refused):
    shop.manage("migrate")
    shop.write("shop/tasks.py", "import nowhere\n")
    assert "did not start" in refused()
    assert "No module named 'nowhere'" in shop.read("executor.log")
    assert not (shop.path / "executor.pid").exists()


def test_threads_that_can_not_be_started(shop, refused):
    shop.manage("migrate")
    shop.configure(
        """
        import threading
        start = threading.Thread.start
        def start_some(thread):
            if thread.name == "tpq-3":
                raise RuntimeError("can't start new thread")
            start(thread)
        threading.Thread.start = start_some
        """
    )
    assert "did not start" in refused("-t", "8")
    assert "RuntimeError: can't start new thread" in shop.read("executor.log")
    assert "could not start" in shop.manage("executor", "-t", "8", "--once", code=1).stderr
    shop.manage("executor", "-t", "3", "--once")


@pytest.mark.parametrize("option", ["-t", "--threads", "--workers", "--processes", "--coroutines"])
def test_numbers_that_no_machine_takes(option):
    with pytest.raises(CommandError, match=r"must be a whole number from 1 to 1,?000+, not '100001'"):
        call_command("executor", option, "100001", "--once")


def test_one_of_two_processes_that_can_not_start_stops_both(shop, refused):
    shop.manage("migrate")
    shop.write(
        "shop/tasks.py",
        """
        import os
        os.open("the first one was here", os.O_CREAT | os.O_EXCL)
        """,
    )
    assert "did not start" in refused("--processes", "2")


def test_settings_that_can_not_be_handed_on(tmp_path):
    code = """
from django.conf import settings
settings.configure(DATABASES={}, INSTALLED_APPS=["django_tpq.main", "django_tpq.futures"])
import django
django.setup()
from django_tpq.futures.launch import start_command
start_command([])
"""
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert "they need DJANGO_SETTINGS_MODULE" in done.stderr.splitlines()[-1]


def test_no_settings_at_all():
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-m", "django", "executor"], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "No Django settings specified" in done.stderr
    assert "Traceback" not in done.stderr
