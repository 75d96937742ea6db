"""Django's own tests of its tasks, from its source distribution, in a project with our apps and our backend."""

import os
import subprocess
import sys
import tarfile
from importlib.util import find_spec

import django
import pytest

from tests.docs.reader import ROOT


@pytest.mark.skipif(not find_spec("django.tasks"), reason="this Django has no tasks of its own")
@pytest.mark.timeout(300)
def test_it_passes(tmp_path):
    version = django.get_version()
    download = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--no-binary",
        ":all:",
        "--dest",
    ]
    fetched = subprocess.run([*download, str(tmp_path), f"django=={version}"], capture_output=True, text=True)
    if fetched.returncode:
        pytest.skip(f"the sources of Django {version} are not to be had: {fetched.stderr[-200:]}")
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as archive:
        archive.extractall(tmp_path, filter="data")
    (suite,) = tmp_path.glob("*/tests/tasks")
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "PYTHONPATH": f"{ROOT}:{suite.parent}",
    }
    environment["TPQ_TEST_NAME"] = "test_tpq_of_django"
    command = [sys.executable, "-m", "django", "test", "tasks", "--noinput"]
    done = subprocess.run(command, cwd=suite.parent, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Ran " in done.stderr
    assert int(done.stderr.partition("Ran ")[2].split()[0]) > 50
