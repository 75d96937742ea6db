"""`dumpdata`, `flush` and `loaddata` with a queue."""

import pytest
from django.core.management import call_command

from tests.testapp.models import PlainQueue

pytestmark = pytest.mark.django_db(transaction=True)


def test_what_is_enqueued_after_loaddata_stands_behind_what_was_loaded(tmp_path):
    queue, dump = PlainQueue.objects, str(tmp_path / "dump.json")
    queue.enqueue_many([1, 2, 3])
    call_command("dumpdata", "testapp.PlainQueue", output=dump)
    call_command("flush", interactive=False)
    call_command("loaddata", dump, verbosity=0)
    queue.enqueue_many([4, 5])
    assert queue.dequeue_many(9) == [1, 2, 3, 4, 5]
