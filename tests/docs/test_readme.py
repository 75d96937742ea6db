"""The README's examples, followed from the first to the last in a fresh project; and that it is complete."""

import re

from django.core.management import load_command_class
from django.core.management.base import BaseCommand

from django_tpq.conf import Settings
from tests.docs.reader import ROOT, Reader, blocks

FILE = re.compile(r"# (\w+/\w+\.py)\n")
README = (ROOT / "README.md").read_text()


def test_it_can_be_followed_from_start_to_end(tmp_path):
    reader, told = Reader(tmp_path / "project"), ""
    for language, text in blocks("README.md"):
        if language == "console":
            told += reader.shell(text)
        elif named := FILE.match(text):
            with (reader.path / named[1]).open("a") as file:
                file.write(text)
        else:
            told += reader.call(text)
    assert "main {'order': 9}" in told
    assert "executor started" in told
    assert "1 executor process(es) alive" in told
    assert re.search(
        r"myapp.tasks.area [01] [1-4] 0 ", told
    )  # as many as have ended and were counted by then
    assert "executor stopped" in told


def test_it_names_every_setting():
    assert [name for name in Settings._names() if f"| `{name}` |" not in README] == []


def test_it_names_every_option_of_the_executor():
    parser = load_command_class("django_tpq.futures", "executor").create_parser("manage.py", "executor")
    djangos = BaseCommand().create_parser("manage.py", "executor")
    shown = [action for action in parser._actions if action.help and "==SUPPRESS==" not in action.help]
    theirs = {option for action in djangos._actions for option in action.option_strings}
    ours = [option for action in shown for option in action.option_strings if option not in theirs]
    row = next(line for line in README.splitlines() if "| `manage.py executor` |" in line)
    assert "--foreground" in ours
    assert [option for option in ours if f"`{option}" not in row] == []
