"""The contract's examples, taken from its text and run as they stand, in a project that `startproject` made.

Only `time.sleep`, `LOGGER` and `exc_info` are supplied. The example that defines a task and then calls it is cut
in two at the first call: the first part is the app's `tasks.py`, where executors find it, the second the caller.
"""

import re

import pytest

from tests.docs.reader import ROOT, Reader, blocks

DOCUMENT = "docs/contract.md"
MODEL, USE, FUTURES, STATISTICS = (text for language, text in blocks(DOCUMENT) if language == "python")
MIGRATE, HELP = (text for language, text in blocks(DOCUMENT) if language == "bash")
DATABASES = (
    'from django_tpq.embedded import embedded\nDATABASES = {"default": embedded(BASE_DIR / ".postgres")}\n'
)
SUPPLIED = "import logging\n\nLOGGER, exc_info = logging.getLogger(), None\n\n"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory):
    """A project as far as the contract's section on queues takes it."""
    reader = Reader(tmp_path_factory.mktemp("contract") / "project")
    settings = reader.path / "project/settings.py"
    apps = "INSTALLED_APPS = ['django_tpq.main', 'django_tpq.futures', 'myapp',"
    text = settings.read_text().replace("INSTALLED_APPS = [", apps)
    settings.write_text(re.sub(r"^DATABASES = \{.*?^\}\n", DATABASES, text, flags=re.MULTILINE | re.DOTALL))
    (reader.path / "myapp/models.py").write_text(MODEL)
    reader.shell(MIGRATE)
    return reader


def test_a_message_goes_in_and_comes_out(reader):
    assert reader.call(f"{USE}\nprint(message)") == "{'field': 'value'}\n"


def test_the_executors_help_names_the_flags(reader):
    told = reader.shell(HELP)
    for flags in re.findall(r"^ (--\S+), (-\w) -", HELP, re.MULTILINE):
        assert all(flag in told for flag in flags)


def test_a_call_is_polled_for_and_waited_for_and_counted(reader):
    definition, calls = FUTURES.split("\nf = ", maxsplit=1)
    (reader.path / "myapp/tasks.py").write_text(definition)
    calls = f"{SUPPLIED}from myapp.tasks import *\n\nf = {calls}"
    reader.run("manage.py", "executor")
    try:
        assert reader.call(calls) == "None\nNone\n"
    finally:
        reader.run("manage.py", "executor", "--stop")
    fields = re.findall(r"^ - (\w+) - ", (ROOT / DOCUMENT).read_text(), re.MULTILINE)
    assert fields == ["name", "running", "total", "failures", "last_seen", "first_seen"]
    shown = f"{STATISTICS}\nprint(*Task.objects.values_list('name', 'running', 'total', 'failures'))"
    assert reader.call(shown) == "('myapp.tasks.long_running_function', 0, 2, 0)\n"
    seen = reader.call(f"{STATISTICS}\nprint(all(t.first_seen < t.last_seen for t in Task.objects.all()))")
    assert seen == "True\n"
