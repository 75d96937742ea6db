"""The short ones of the fault suite (`make chaos` has them all), and that its checker would see a wrong."""

import os
import subprocess
import sys

import pytest

from chaos.faults import SCENARIOS
from chaos.project.sabotage import ACKNOWLEDGED_LATER
from tests.docs.reader import ROOT

SHORT = [name for name, scenario in SCENARIOS.items() if scenario.is_short]


def run(*arguments, **changes):
    """`python -m chaos`, as somebody runs it."""
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    environment |= changes
    command = [sys.executable, "-m", "chaos", *arguments]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SHORT)
def test_nothing_is_lost_or_doubled(name, tmp_path):
    done = run(name, f"--logs={tmp_path}", "--seed=suite")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"ok   {name}" in done.stdout


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("how", "seen"),
    [
        ("what a dead process held is deleted", "no run to the end"),
        ("each message is put in twice", "ran twice without a fault"),
        (ACKNOWLEDGED_LATER, "an effect twice"),
    ],
)
def test_a_product_that_is_spoilt_is_found_out(how, seen, tmp_path):
    done = run("process-killed", f"--logs={tmp_path}", "--seed=suite", CHAOS_SABOTAGE=how)
    assert done.returncode == 1
    assert f"     {seen}: " in done.stdout


def test_there_are_some():
    assert len(SHORT) >= 2


def test_every_scenario_says_what_it_does():
    assert all(scenario.about.endswith(".") for scenario in SCENARIOS.values())
    listed = run("--list").stdout
    assert [line.split()[0] for line in listed.splitlines()] == list(SCENARIOS)


def test_one_that_is_not_there_is_an_error_that_names_those_that_are():
    done = run("nonsense")
    assert done.returncode == 2
    assert "there is no 'nonsense'; there are process-killed" in done.stderr
