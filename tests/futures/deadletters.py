"""`manage.py deadletters` in the test's own process, and messages that were buried."""

import json
from io import StringIO

from django.core.management import call_command

from tests.testapp.models import PlainQueue


def run(*arguments):
    """Run the command; its exit code, and what it wrote to stdout and stderr."""
    out, err = StringIO(), StringIO()
    try:
        call_command("deadletters", *arguments, stdout=out, stderr=err)
    except SystemExit as end:
        return end.code, out.getvalue(), err.getvalue()
    return 0, out.getvalue(), err.getvalue()


def listed(*arguments):
    code, told, _ = run("list", "--json", *arguments)
    assert code == 0
    return json.loads(told)


def buried(*bodies, of=PlainQueue, **columns):
    """Messages that were buried; their numbers."""
    of.objects.enqueue_many(bodies, **columns)
    numbers = []
    for _ in bodies:
        with of.objects.receive(lease=60) as message:
            message.bury("nobody wants it")
        numbers.append(message.pk)
    return numbers
