"""The how-to documents, each followed from its first to its last block in a fresh project."""

import re
from importlib.util import find_spec

import pytest

from tests.docs.reader import ROOT, Reader, blocks

FILE = re.compile(r"# (\w+/\w+\.py)\n")
DATABASES = (
    'from django_tpq.embedded import embedded\nDATABASES = {"default": embedded(BASE_DIR / ".postgres")}\n'
)
TOLD = {
    "docs/howto/retries.md": [
        "myapp.tasks.fetch 1 ['builtins.TimeoutError']\n1\n",
        "4\n",
    ],
    "docs/howto/unique.md": [
        "True\nTrue\n",
        "('myapp.tasks.index', 1) ('myapp.tasks.remind', 1) ('myapp.tasks.report', 1)\n",
        "True\n",
        "True\n",
    ],
    "docs/howto/many-futures.md": ["328350\n100 0\n", "14\n", "[1, 4, 9] 144\n"],
    "docs/howto/testing.md": [],
    "docs/howto/development.md": ["12 TypeError(\"can't multiply sequence by non-int of type 'str'\")\n30\n"],
    "docs/howto/dead-letters.md": [
        "myapp.tasks.login builtins.ConnectionError 1\nRequeued(moved=1, stayed=0)\n",
        "ada is in\n",
        "1\n",
    ],
    "docs/howto/deploys.md": ["sent to ada@example.org\nmyapp.mails.send 1\n"],
    "docs/howto/periodic.md": [
        "True 7 at most\n",
        "at nine people False is followed\n",
        "myapp.tasks.nightly code True is followed\n",
        "myapp.tasks.tidy code True is followed\n",
        "often people True is followed\n",
    ],
    "docs/howto/places.md": ["124750 168 mail to ada\n"],
    "docs/howto/limits.md": [
        "1 10 CallExpired\n",
        "longer than its timeout of 0.5 s (attempt 1); it was here:\n",
        "True\n",
    ],
    "docs/howto/cancelling.md": [
        "True CallCancelled\nFalse\n",
        "100000.0 True True True\nTrue\ncancelled\n",
    ],
    "docs/howto/atomic.md": ["1 ValueError('wrong') ['right']\n"],
    "docs/howto/logging.md": ["True\n"],
    "docs/howto/django-tasks.md": [
        "READY\n",
        "SUCCESSFUL sent to ada@example.org 1\n",
        "True {'reason': 'news'}\n",
        "2\n",
    ],
}


@pytest.fixture
def reader(tmp_path):
    """A project with everything installed, and the embedded server."""
    reader = Reader(tmp_path / "project")
    settings = reader.path / "project/settings.py"
    backport = "" if find_spec("django.tasks") else "'django_tasks', "
    apps = f"INSTALLED_APPS = [{backport}'django_tpq.main', 'django_tpq.futures', 'myapp',"
    text = settings.read_text().replace("INSTALLED_APPS = [", apps)
    settings.write_text(re.sub(r"^DATABASES = \{.*?^\}\n", DATABASES, text, flags=re.MULTILINE | re.DOTALL))
    reader.run("manage.py", "migrate")
    return reader


def here(text):
    """As one writes it with this Django."""
    return (
        text
        if find_spec("django.tasks")
        else text.replace("from django.tasks import", "from django_tasks import")
    )


@pytest.mark.parametrize("document", TOLD)
def test_it_can_be_followed(reader, document):
    told = ""
    for language, text in blocks(document):
        if language == "console":
            reader.shell(text)
        elif named := FILE.match(text):
            with (reader.path / named[1]).open("a") as file:
                file.write(here(text))
        else:
            told += reader.call(here(text))
    assert told == "".join(TOLD[document])


def test_each_is_followed():
    assert sorted(TOLD) == sorted(f"docs/howto/{path.name}" for path in (ROOT / "docs/howto").iterdir())
