"""Log lines: short and coloured in a terminal, complete in a file."""

import io
import logging
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest

from django_tpq.futures.colours import formatter, is_coloured
from tests.fixtures.process import environment
from tests.testapp import tasks

CALL = "default:1x:AbCdEfGhIjKlMnOpQrStUv"
GREEN, RED, BOLD, END = "\x1b[32;1m", "\x1b[31;1m", "\x1b[1m", "\x1b[0m"


class Terminal(io.StringIO):
    """What says that it is one."""

    def isatty(self):
        return True


@pytest.fixture(autouse=True)
def _nothing_is_said(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM", "DJANGO_COLORS"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("stream", "given", "options", "coloured"),
    [
        (Terminal, {}, {}, True),
        (io.StringIO, {}, {}, False),
        (Terminal, {"NO_COLOR": "1"}, {}, False),
        (Terminal, {"NO_COLOR": ""}, {}, True),
        (Terminal, {"TERM": "dumb"}, {}, False),
        (io.StringIO, {"FORCE_COLOR": "1"}, {}, True),
        (io.StringIO, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, {}, False),
        (Terminal, {}, {"no_color": True}, False),
        (Terminal, {"FORCE_COLOR": "1"}, {"no_color": True}, False),
        (io.StringIO, {}, {"force_color": True}, True),
        (io.StringIO, {"NO_COLOR": "1"}, {"force_color": True}, True),
    ],
)
def test_who_gets_colours(monkeypatch, stream, given, options, coloured):
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert is_coloured(stream(), **{"no_color": False, "force_color": False, **options}) is coloured


def line(message, *args, level=logging.INFO, **options):
    record = logging.LogRecord("django_tpq.runner", level, "x.py", 1, message, args, None)
    return formatter(io.StringIO(), **options).format(record)


def test_a_file_gets_all_there_is():
    text = line("call %s of %s failed", CALL, "app.tasks.send")
    assert re.fullmatch(
        rf"\S+ \S+ INFO django_tpq.runner \[{os.getpid()}\] call {CALL} of app.tasks.send failed", text
    )


def test_a_terminal_gets_what_one_reads():
    text = line("call %s of %s failed: %s", CALL, "app.tasks.send", "OSError", force_color=True)
    call, task = f"{GREEN}default:1x{END}", f"{BOLD}app.tasks.send{END}"
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d " + re.escape(f"{GREEN}INFO    {END} call {call} of {task} failed: OSError"), text
    )


def test_other_numbers_of_calls_stand_out_too():
    text = line("call %s of %s was lost to another", 7, "app.tasks.send", level=30, force_color=True)
    assert f"call {GREEN}7{END} of {BOLD}app.tasks.send{END} was lost" in text
    assert "\x1b[33;1mWARNING " in text


def test_errors_are_red_and_keep_their_traceback():
    try:
        raise ValueError("very wrong")
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("django_tpq", logging.ERROR, "x.py", 1, "oh", (), info)
    text = formatter(Terminal()).format(record)
    assert f"{RED}ERROR   {END} oh\nTraceback" in text
    assert text.endswith("ValueError: very wrong")


def test_djangos_palettes_count(monkeypatch):
    monkeypatch.setenv("DJANGO_COLORS", "error=blue")
    assert "\x1b[34mERROR   \x1b[0m" in line("oh", level=logging.ERROR, force_color=True)
    monkeypatch.setenv("DJANGO_COLORS", "nocolor")
    assert "\x1b" not in line("oh", level=logging.ERROR, force_color=True)


def in_a_terminal(*arguments, **changes):
    """What `executor --once` writes to a terminal."""
    ours, theirs = pty.openpty()
    given = environment(**changes)
    for name in ("NO_COLOR", "FORCE_COLOR", "DJANGO_COLORS"):
        given.pop(name, None)
    given |= {"TERM": "xterm", **changes}
    command = [sys.executable, "-m", "django", "executor", "--once", "-t", "1", *arguments]
    process = subprocess.Popen(command, env=given, stdout=theirs, stderr=theirs)
    os.close(theirs)
    text, deadline = b"", time.monotonic() + 60
    while time.monotonic() < deadline and select.select([ours], [], [], 60)[0]:
        try:
            text += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait(60) == 0
    return text.decode()


@pytest.mark.parametrize(
    ("arguments", "changes", "coloured"),
    [((), {}, True), (("--no-color",), {}, False), ((), {"NO_COLOR": "1"}, False)],
)
def test_all_processes_of_an_executor_do_it(transactional_db, arguments, changes, coloured):
    tasks.fail.delay("x")
    text = in_a_terminal(*arguments, **changes)
    failed = next(line for line in text.splitlines() if "failed" in line)
    assert (f"{BOLD}tests.testapp.tasks.fail{END}" in failed) is coloured
    assert ("django_tpq.runner" in failed) is not coloured
    assert ("\x1b" in failed) is coloured


def test_colours_can_be_forced_where_there_is_no_terminal(transactional_db, executor):
    tasks.fail.delay("x")
    process = executor("--once", "--force-color", wait=False)
    assert process.process.wait(60) == 0
    assert f"{BOLD}tests.testapp.tasks.fail{END}" in process.text()
