"""The file with an executor's pid: its lock says whether the executor lives."""

import fcntl
import os
import subprocess
import sys
import threading

import pytest

from django_tpq.futures.pidfile import PidFileTaken, held, owner

HOLD = """
import sys
from pathlib import Path
from django_tpq.futures.pidfile import held
with held(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "executor.pid"


@pytest.fixture
def holder(path):
    """Another process that holds the file."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_it_names_its_holder_and_goes_with_him(path, holder):
    assert owner(path) == holder.pid
    holder.communicate()
    assert owner(path) is None
    assert not path.exists()


def test_it_can_not_be_held_twice(path, holder):
    with pytest.raises(PidFileTaken, match=str(holder.pid)), held(path):
        pass


def test_who_only_looks_is_no_holder(path):
    path.touch()
    look = os.open(path, os.O_RDONLY)
    fcntl.flock(look, fcntl.LOCK_SH)
    ending = threading.Timer(0.05, os.close, [look])
    ending.start()
    with held(path):
        assert path.read_text() == f"{os.getpid()}\n"
    ending.join()


def test_a_file_that_was_removed_under_its_lock_is_made_anew(path, holder):
    path.unlink()
    with held(path):
        holder.communicate()  # who removes no file but its own
        assert path.read_text() == f"{os.getpid()}\n"
