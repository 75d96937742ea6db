"""What one is told when there is no server."""

import subprocess
import sys

import pytest

from tests.embedded.conftest import SOURCE
from tpq.embedded import EmbeddedError, start


def test_the_servers_own_words_are_in_the_error(client, path):
    error = client(parameters={"shared_buffers": "nonsense"}).answer["error"]
    assert error.startswith(f"embedded PostgreSQL at {path}: the server did not start")
    assert 'invalid value for parameter "shared_buffers"' in error
    assert "\n" not in error


def test_what_failed_once_works_when_it_is_put_right(client, path):
    assert "error" in client(parameters={"shared_buffers": "nonsense"}).answer
    assert client().query("SELECT 1") == 1


@pytest.mark.parametrize("name", ["port", "listen_addresses", "unix_socket_directories"])
def test_the_address_is_not_to_be_changed(path, name):
    with pytest.raises(EmbeddedError, match=f"can not be changed: {name}"):
        start(path, parameters={name: "1"})


def test_parameters_are_settings_of_the_server(client, path):
    one = client(parameters={"work_mem": "5MB", "fsync": False, "max_connections": 17})
    assert one.query("SELECT current_setting('work_mem')") == "5MB"
    assert one.query("SELECT current_setting('fsync')") == "off"
    assert one.query("SELECT current_setting('max_connections')") == "17"


def test_data_are_safe_by_default(client, path):
    one = client(parameters={})
    assert one.query("SELECT current_setting('fsync')") == "on"
    assert one.query("SELECT current_setting('max_connections')") == "200"


def test_windows_is_told_what_to_do(path):
    code = """
import contextlib, json, pathlib, select, shutil, socket, subprocess, sys, tempfile
sys.modules |= {"fcntl": None, "pwd": None}
sys.platform = "win32"
sys.modules["tpq"] = type(sys)("tpq")
sys.modules["tpq"].__path__ = [sys.argv[1]]
from tpq.embedded import start
start("C:/somewhere")
"""
    done = subprocess.run(
        [sys.executable, "-c", code, SOURCE / "tpq"], capture_output=True, text=True, check=False
    )
    assert "EmbeddedError: C:/somewhere: no embedded PostgreSQL on Windows" in done.stderr
    assert "DATABASE_URL" in done.stderr


def test_a_file_in_the_way_is_named(path):
    with pytest.raises(EmbeddedError, match="Not a directory"):
        start(path / ".gitignore" / "x" / "pg")
