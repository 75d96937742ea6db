"""`manage.py executor` in the background: how it goes there, is found again and ends."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from django_tpq.futures import background
from django_tpq.main.models import Consumer
from tests.failures.accidents import tasks
from tests.fixtures.process import children_of, environment, is_alive


class Command:
    """`manage.py executor` with files of the test's own."""

    def __init__(self, room: Path) -> None:
        self.pid_file, self.log = room / "executor.pid", room / "executor.log"

    def __call__(self, *arguments: str, code: int = 0, **changes: str) -> str:
        """Run it to its end; what it says."""
        files = [f"--pidfile={self.pid_file}", f"--logfile={self.log}"]
        command = [sys.executable, "-m", "django", "executor", *files, *arguments]
        done = subprocess.run(command, env=environment(**changes), capture_output=True, text=True, timeout=60)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        return done.stdout + done.stderr

    def start(self, *arguments: str, **changes: str) -> int:
        """Start one in the background; its pid."""
        found = re.search(r"executor started, pid (\d+), log", self("-t", "2", *arguments, **changes))
        assert found
        return int(found[1])


@pytest.fixture
def command(transactional_db, tmp_path):
    command = Command(tmp_path)
    yield command
    if command.pid_file.exists() and (text := command.pid_file.read_text().strip()):
        command("--stop", code=0 if is_alive(int(text)) else 1)
    Consumer.objects.all().delete()


def test_the_first_process_ends_when_the_executor_is_ready_to_run_calls(command):
    pid = command.start()
    assert is_alive(pid)
    assert command.pid_file.read_text() == f"{pid}\n"
    assert "is ready" in command.log.read_text()
    assert tasks.deliveries.delay().result(wait=20) == 0


def test_it_has_a_process_session_of_its_own_and_no_terminal(command):
    pid = command.start()
    assert os.getsid(pid) == pid
    assert Path(f"/proc/{pid}/fd/0").resolve() == Path("/dev/null")
    for number in 1, 2:
        assert Path(f"/proc/{pid}/fd/{number}").resolve() == command.log


def test_its_files_are_for_its_user_only(command):
    command.start()
    for file in command.pid_file, command.log:
        assert file.stat().st_mode & 0o777 == 0o600


def test_stop_waits_for_its_end_and_leaves_nothing(command, eventually):
    pid = command.start("--processes", "2")
    children = children_of(pid)
    assert len(children) == 2
    assert "executor stopped" in command("--stop")
    assert not command.pid_file.exists()
    assert not any(is_alive(child) for child in children)
    assert not is_alive(pid)
    assert not Consumer.objects.exists()


def test_a_stop_that_takes_too_long_says_whose_grace_counts(command, monkeypatch, tmp_path):
    monkeypatch.setattr(background, "stop", lambda pid_file, patience: False)
    with pytest.raises(CommandError) as caught:
        call_command("executor", "--stop", "--grace", "3", pidfile=tmp_path / "pid")
    text = str(caught.value)
    assert text.startswith(
        f"the executor of {tmp_path / 'pid'} was told to stop, but has not ended within 15 s"
    )
    assert "the --grace says that it was started with" in text


def test_stop_without_an_executor_is_an_error_of_one_line(command):
    assert command("--stop", code=1) == f"CommandError: no executor runs ({command.pid_file})\n"


@pytest.mark.parametrize("mode", [(), ("-f",)], ids=["background", "foreground"])
def test_a_second_one_of_the_same_pid_file_is_refused(command, mode):
    pid = command.start()
    said = command(*mode, code=1).splitlines()
    assert said[-1] == f"CommandError: an executor runs already (pid {pid}, {command.pid_file})"
    assert is_alive(pid)


def test_a_stale_pid_file_is_no_executor(command):
    command.pid_file.write_text(f"{os.getpid()}\n")
    assert "none" in command("--status").splitlines()[0]
    assert "no executor runs" in command("--stop", code=1)
    pid = command.start()
    assert command.pid_file.read_text() == f"{pid}\n"


def test_a_killed_executor_leaves_a_pid_file_that_is_in_nobodys_way(command):
    first = command.start()
    os.kill(first, signal.SIGKILL)
    second = command.start()
    assert second != first
    assert tasks.deliveries.delay().result(wait=20) == 0


def test_the_status_shows_who_works_and_what_waits(command):
    tasks.deliveries.using(delay=600).delay()
    said = command("--status")
    assert said.startswith(f"executor of {command.pid_file}: none\n0 executor process(es) alive")
    assert "queue default: 0 ready, 1 waiting, 0 claimed, 0 dead" in said
    pid = command.start()
    said = command("--status")
    assert said.startswith(f"executor of {command.pid_file}: pid {pid}\n1 executor process(es) alive")
    assert f"pid {children_of(pid)[0]} on " in said
    assert "queues default, mail: runs nothing" in said
    assert "messages come by LISTEN" in said


def test_the_status_shows_a_call_that_runs(command, tmp_path, eventually):
    command.start()
    tasks.wait_for.delay(str(tmp_path / "notes"), str(tmp_path / "go"))

    def it_is_seen():
        assert "runs tests.failures.accidents.tasks.wait_for x1" in command("--status")

    eventually(it_is_seen, 20)
    (tmp_path / "go").touch()


def test_an_app_that_started_a_thread_and_opened_a_connection_at_ready_works(command):
    command.start(TPQ_TEST_BUSY_APP="1")
    assert tasks.ask_the_thread.delay().result(wait=20) == 42
    assert tasks.query.delay().result(wait=20)


def test_the_log_is_appended_to(command):
    command.log.write_text("an old line\n")
    command.start()
    assert command.log.read_text().startswith("an old line\n")


def test_no_symbolic_link_is_followed(command, tmp_path):
    target = tmp_path / "target"
    target.write_text("precious")
    command.log.symlink_to(target)
    assert "CommandError" in command(code=1)
    command.log.unlink()
    command.pid_file.symlink_to(target)
    assert "CommandError" in command(code=1)
    command.pid_file.unlink()
    assert target.read_text() == "precious"
