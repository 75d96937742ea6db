"""Where tasks may be defined, as somebody finds out who tries it."""

import subprocess
import sys

import pytest

from tests.docs.reader import Reader

SCRIPT = """
from django_tpq.futures import task

@task
def here():
    pass

try:
    here.delay()
except TypeError as error:
    print("refused:", error)
"""


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    reader = Reader(tmp_path_factory.mktemp("places") / "project")
    settings = reader.path / "project/settings.py"
    settings.write_text(
        settings.read_text() + "INSTALLED_APPS += ['django_tpq.main', 'django_tpq.futures']\n"
    )
    return reader


def test_a_script_is_no_place_for_a_task(reader):
    assert "refused: task __main__.here is defined in a script or shell" in reader.call(SCRIPT)


def test_a_shell_is_no_place_for_a_task(reader):
    command = [sys.executable, "manage.py", "shell"]
    told = subprocess.run(
        command, input=SCRIPT, cwd=reader.path, env=reader.environment, capture_output=True, text=True
    )
    assert "here is defined in a script or shell" in told.stdout, told.stderr
