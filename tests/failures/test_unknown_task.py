"""A deploy: calls of tasks that this executor does not know yet."""

from django_tpq.futures.models import CallQueue, Task
from django_tpq.futures.overview import report
from tests.failures.accidents import tasks
from tests.failures.next_release import new


def test_they_wait_for_an_executor_that_knows_them(executor, eventually):
    old = executor("-t", "2")
    futures = new.delay_many([(number,) for number in range(3)])

    def they_have_been_tried_and_wait():
        rows = CallQueue.objects.values_list("state", "attempt", "deliveries", "claim_no")
        assert [row[:3] for row in rows] == [("waiting", 0, 0)] * 3
        assert all(row[3] >= 2 for row in rows)

    eventually(they_have_been_tried_and_wait, 20)
    assert f"  !! 3 call(s) of {new.name}: no executor knows this task yet" in report("default", ["default"])
    assert tasks.deliveries.delay().result(wait=20) == 0  # they are in nobody's way
    assert not Task.objects.filter(name=new.name).exists()
    assert old.stop() == 0
    executor("-t", "2", TPQ_TEST_NEXT_RELEASE="1")
    assert [future.result(wait=30) for future in futures] == [1, 2, 3]
