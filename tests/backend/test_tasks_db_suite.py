"""The tests of django-tasks-db, from its source distribution, against our backend: all but what is of its own parts.

`tasks_db/tests/chosen.py` says which are left out, and why.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.docs.reader import ROOT

VERSION = "0.13.0"
RUN = 38
"""How many tests of that version are not left out."""


@pytest.mark.timeout(400)
def test_it_passes(tmp_path):
    options = [
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
        str(tmp_path),
    ]
    command = [sys.executable, "-m", "pip", "download", *options, f"django-tasks-db=={VERSION}"]
    fetched = subprocess.run(command, capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"the sources of django-tasks-db {VERSION} are not to be had: {fetched.stderr[-200:]}")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    project = shutil.copytree(Path(__file__).parent / "tasks_db", tmp_path / "project")
    shutil.copy(next(tmp_path.glob("django_tasks_db-*/tests/tests.py")), project / "tests")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": str(project),
        "OF_TPQ": str(ROOT),
        "TPQ_TEST_NAME": "test_tpq_of_tasks_db",
    }
    command = [sys.executable, "-m", "django", "test", "tests.tests", "--noinput"]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-5000:]
    assert re.search(r"Ran (\d+) tests", done.stderr)[1] == str(RUN)
    assert "skipped" not in done.stderr
