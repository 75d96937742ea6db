"""`manage.py executor --autoreload`: an edit of a task's file is what runs next."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.fixtures.process import children_of, is_alive

TASKS = """
    import time
    from django_tpq.futures import task


    @task
    def version(seconds=0):
        time.sleep(seconds)
        return {version!r}
"""
ASK = "from shop.tasks import version; print('says', version.delay().result(wait=60))"


class Development:
    """A project under development, with an executor that reloads."""

    def __init__(self, project, log):
        self.project, self.log = project, log

    def start(self, until="is ready"):
        given = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        given.pop("DJANGO_SETTINGS_MODULE", None)
        with self.log.open("ab") as out:
            # As from a shell: a group of its own, which Ctrl-C reaches as a whole.
            self.process = subprocess.Popen(
                [sys.executable, "-B", "manage.py", "executor", "--autoreload", "-t", "1"],
                cwd=self.project.path, env=given, stdout=out, stderr=out, process_group=0,
            )  # fmt: skip
        self.says(until)

    def edit(self, version):
        self.project.write("shop/tasks.py", TASKS.format(version=version))

    def says(self, text, times=1):
        deadline = time.monotonic() + 60
        while self.log.read_text().count(text) < times:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def ask(self):
        return self.project.manage("shell", "-c", ASK).stdout.split()[-1]


@pytest.fixture
def development(project, tmp_path):
    project.configure("INSTALLED_APPS.insert(0, 'django_tpq.futures')")
    development = Development(project, tmp_path / "executor.log")
    development.edit("first")
    project.manage("migrate")
    yield development
    with contextlib.suppress(AttributeError, ProcessLookupError):
        development.process.kill()
        development.process.wait()


def test_an_edit_is_what_runs_next(development):
    development.start()
    assert development.ask() == "first"
    development.edit("second")
    development.says("is ready", 2)
    assert "tasks.py has changed" in development.log.read_text()
    assert development.ask() == "second"
    development.process.terminate()
    assert development.process.wait(60) == 0


def test_a_mistake_ends_nothing(development):
    development.start()
    development.project.write("shop/tasks.py", "def broken(:\n")
    development.says("it starts again when a file changes")
    assert "SyntaxError" in development.log.read_text()
    development.edit("mended")
    development.says("is ready", 2)
    assert development.ask() == "mended"


def test_a_mistake_at_the_start_is_waited_out_too(development):
    development.project.write("shop/tasks.py", "import nothing_of_the_kind\n")
    development.start(until="it starts again when a file changes")
    development.edit("mended")
    development.says("is ready")
    assert development.ask() == "mended"


def test_a_running_call_ends_before_the_new_code_comes(development):
    development.start()
    slow = "from shop.tasks import version; print('id', version.delay(4).id)"
    call = development.project.manage("shell", "-c", slow).stdout.split()[-1]
    running = "from django_tpq.futures.models import Task; print('runs', Task.objects.get().running)"
    deadline = time.monotonic() + 30
    while development.project.manage("shell", "-c", running).stdout.split()[-1] != "1":
        assert time.monotonic() < deadline
    development.edit("second")
    development.says("is ready", 2)
    result = f"from django_tpq.futures import Future; print('says', Future.get({call!r}).result(wait=60))"
    assert development.project.manage("shell", "-c", result).stdout.split()[-1] == "first"
    assert development.ask() == "second"


def test_a_file_that_only_a_call_loads_counts(development):
    development.project.write("shop/prices.py", "PRICE = 1\n")
    development.start()
    development.project.write("shop/prices.py", "PRICE = 2\n")
    development.says("prices.py has changed")
    development.says("is ready", 2)


def test_ctrl_c_ends_it_all(development):
    development.start()
    (executor,) = children_of(development.process.pid)
    os.killpg(development.process.pid, signal.SIGINT)
    assert development.process.wait(60) == 0
    assert not is_alive(executor)
    assert "stopping at once" not in development.log.read_text()


def test_the_executor_does_not_outlive_it(development, eventually):
    development.start()
    (executor,) = children_of(development.process.pid)
    development.process.kill()
    development.process.wait()

    def it_has_ended():
        assert not is_alive(executor)

    eventually(it_has_ended, 30)


def test_once_and_autoreload_exclude_each_other(development):
    done = development.project.manage("executor", "--autoreload", "--once", code=1)
    assert "--autoreload goes on until it is stopped" in done.stderr
