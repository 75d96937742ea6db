"""An executor with another SECRET_KEY than those who make the calls."""

import time
from pathlib import Path

import pytest

from django_tpq.futures import TaskFailed
from django_tpq.futures.models import CallQueue
from django_tpq.futures.overview import report
from tests.failures.accidents import tasks
from tests.fixtures.process import ExecutorProcess

WRONG = "tests.failures.another_key"


def test_it_stops_claiming_says_why_and_buries_nothing(executor, eventually):
    futures = tasks.deliveries.delay_many([()] * 100)
    process = executor("-t", "4", DJANGO_SETTINGS_MODULE=WRONG)
    process.says("SECRET_KEY differs from the producers'; claiming has stopped")

    def all_are_back():
        rows = CallQueue.objects.values_list("state", "attempt", "deliveries").distinct()
        assert list(rows) == [("ready", 0, 0)]

    eventually(all_are_back, 20)

    def the_status_says_so():
        assert "SECRET_KEY differs" in "\n".join(report("default", ["default"]))

    eventually(the_status_says_so, 20)
    assert CallQueue.objects.count() == 100
    assert processor_time(process) < 0.5  # it rests
    assert process.stop() == 0
    assert CallQueue.objects.count() == 100
    executor("-t", "4")
    assert [future.result(wait=30) for future in futures] == [0] * 100


def processor_time(process: ExecutorProcess) -> float:
    """The seconds of processor time that its process uses in one."""

    def used() -> float:
        fields = Path(f"/proc/{process.children()[0]}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    before = used()
    time.sleep(1)
    return used() - before


def test_a_drain_with_it_fails(executor):
    tasks.deliveries.delay_many([()] * 100)
    process = executor("-t", "4", "--once", DJANGO_SETTINGS_MODULE=WRONG)
    assert process.process.wait(30) == 1
    assert "SECRET_KEY differs" in process.text()
    assert CallQueue.objects.count() == 100


def test_one_changed_payload_among_good_ones_is_buried(executor):
    futures = tasks.deliveries.delay_many([()] * 40)
    row = CallQueue.objects.order_by("id")[20]
    CallQueue.objects.filter(pk=row.pk).update(payload=bytes(row.payload)[:-1] + b"\0")
    executor("-t", "2")
    with pytest.raises(TaskFailed, match="signature"):
        futures[20].result(wait=30)
    assert [f.result(wait=30) for f in futures if f is not futures[20]] == [0] * 39
    assert [(row.state, "signature" in row.error) for row in CallQueue.objects.all()] == [("dead", True)]


def test_changed_payloads_that_come_first_are_buried_as_soon_as_one_is_right(executor, eventually):
    futures = tasks.deliveries.delay_many([()] * 11)
    for row in CallQueue.objects.order_by("id")[:10]:
        CallQueue.objects.filter(pk=row.pk).update(payload=bytes(row.payload)[:-1] + b"\0")
    executor("-t", "1")
    assert futures[10].result(wait=30) == 0

    def ten_are_dead():
        assert CallQueue.objects.count(state="dead") == 10

    eventually(ten_are_dead, 20)
