"""Calls that wait hinder nobody: a smaller `make crowd`, with bars that a busy machine meets, too."""

import os
import re
import subprocess
import sys

import pytest

from tests.docs.reader import ROOT

BUSY = 500.0
"""Milliseconds."""


@pytest.fixture(scope="module")
def told():
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    command = [sys.executable, "-m", "chaos.crowd", "200000", "--rounds=5", "--calls=5000", "--late=60"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert "| bar |" in done.stdout, done.stderr
    return done.stdout


@pytest.mark.timeout(300)
def test_claims_do_not_suffer(told):
    (share,) = re.findall(r"share that is left.*? (\d+)%", told)
    assert int(share) >= 60


@pytest.mark.timeout(300)
def test_what_falls_due_starts_in_time(told):
    (late,) = re.findall(r"start, median \(ms\) \| \S+ \| (\S+) \|", told)
    assert float(late) <= BUSY
