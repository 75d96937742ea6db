"""Dead letters as a query set: chosen by the ORM, revived and deleted in any number."""

import threading
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from django_tpq.main import deadletters
from django_tpq.main.deadletters import LOST, Requeued
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects


def bury(count=1, *, of=queue, type=None, **columns):  # noqa: A002
    """Enqueue messages and let them die; their ids."""
    of.enqueue_many(range(count), **columns)
    table = of.table(("id", "claim_no"), tuple)
    receipts = table.lease(timedelta(hours=1), count)
    return sorted(table.bury(receipts, ["bad"] * count, None, [type] * count))


def states(of=queue):
    return sorted(of.values_list("pk", "state"))


@pytest.fixture
def small(monkeypatch):
    """Batches of three."""
    monkeypatch.setattr(deadletters, "BATCH", 3)


def test_only_the_dead_are_dead_letters():
    (dead,) = bury()
    living = queue.enqueue("living")
    assert list(queue.dead().values_list("pk", flat=True)) == [dead]
    assert queue.dead().requeue() == Requeued(moved=1, stayed=0)
    assert states() == [(dead, "ready"), (living, "ready")]


@pytest.mark.usefixtures("small")
@pytest.mark.parametrize("count", [0, 1, 3, 7])
def test_any_number_is_requeued_in_batches(count):
    if count:
        bury(count)
    assert queue.dead().requeue() == (count, 0)
    assert queue.count() == count


@pytest.mark.usefixtures("small")
def test_they_fall_in_behind_what_is_there_the_oldest_first():
    ids = bury(7)
    there = queue.enqueue("there")
    queue.dead().order_by("-pk").requeue()
    assert [message.pk for message in queue.peek(9)] == [there, *ids]


@pytest.mark.usefixtures("small")
def test_any_number_is_discarded_and_the_living_stay():
    bury(7)
    living = queue.enqueue("living")
    assert queue.dead().discard() == 7
    assert states() == [(living, "ready")]


@pytest.mark.usefixtures("small")
def test_a_slice_is_as_many_as_it_says():
    ids = bury(9)
    assert queue.dead().order_by("-pk")[:4].requeue() == (4, 0)
    assert [pk for pk, state in states() if state == "ready"] == ids[-4:]
    assert queue.dead().order_by("pk")[1:3].discard() == 2
    assert [pk for pk, _ in states()] == [ids[0], *ids[3:]]


def test_they_may_wait_before_they_are_taken():
    bury(2)
    queue.dead().requeue(delay=timedelta(hours=1))
    assert (queue.count("waiting"), queue.count()) == (2, 0)
    assert queue.requeue(bury(), delay=60)
    assert queue.count("waiting") == 3


def test_one_whose_key_a_living_message_holds_stays_and_is_counted():
    queue.enqueue("first", unique_key="k")
    table = queue.table(("id", "claim_no"), tuple)
    table.bury(table.lease(timedelta(hours=1), 1), ["bad"])
    bury(2)
    queue.enqueue("second", unique_key="k")
    assert queue.dead().requeue() == Requeued(moved=2, stayed=1)
    assert queue.dead().get().body == "first"


@pytest.mark.usefixtures("small")
def test_of_many_with_one_key_the_oldest_is_revived():
    table = queue.table(("id", "claim_no"), tuple)
    for number in range(5):
        queue.enqueue(number, unique_key="k")
        table.bury(table.lease(timedelta(hours=1), 1), ["bad"])
    assert queue.dead().requeue() == (1, 4)
    assert queue.dequeue() == 0


def test_a_key_that_another_takes_at_the_same_moment_is_no_error(in_background, eventually):
    queue.enqueue("old", unique_key="k")
    table = queue.table(("id", "claim_no"), tuple)
    table.bury(table.lease(timedelta(hours=1), 1), ["bad"])
    bury(3)
    with transaction.atomic():
        queue.enqueue("new", unique_key="k")  # not to be seen, and in the way
        requeued = in_background(queue.dead().requeue)
        eventually(somebody_waits)
    assert requeued() == Requeued(moved=3, stayed=1)


def somebody_waits():
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        assert cursor.fetchone()[0] == 1


def test_a_key_that_is_in_the_way_each_time_is_said(monkeypatch):
    bury()

    def taken(self, ids, delay=None):
        raise IntegrityError("taken")

    monkeypatch.setattr(type(queue), "requeue", taken)
    with pytest.raises(IntegrityError):
        queue.dead().requeue()
    assert queue.count("dead") == 1


def test_it_belongs_to_the_callers_transaction():
    bury(2)
    with transaction.atomic():
        queue.dead().requeue()
        transaction.set_rollback(True)
    with transaction.atomic():
        queue.dead().discard()
        transaction.set_rollback(True)
    assert queue.count("dead") == 2


def test_they_are_chosen_by_the_type_of_the_last_error_and_the_columns():
    bury(2, of=TenantQueue.objects, type="builtins.OSError", tenant="ada")
    bury(3, of=TenantQueue.objects, type="builtins.OSError", tenant="bob")
    bury(4, of=TenantQueue.objects, type="builtins.ValueError", tenant="ada")
    bury(1, of=TenantQueue.objects, tenant="ada")
    dead = TenantQueue.objects.dead()
    assert dead.filter(tenant="ada", error_type="builtins.OSError").requeue() == (2, 0)
    assert dead.filter(error_type=None).count() == 1
    assert dead.filter(error_type__endswith=".ValueError").discard() == 4
    assert TenantQueue.objects.count("dead") == 4


def test_one_whose_lease_ended_for_the_last_time_is_lost():
    queue.enqueue("slow")
    PlainQueue.objects.update(max_deliveries=1)
    table = queue.table()
    table.lease(timedelta(microseconds=1))
    table.promote()
    assert queue.dead().get().error_type == LOST


def test_they_are_chosen_by_when_they_died():
    old, new = bury(2)
    died = (timezone.now() - timedelta(days=2)).isoformat()
    PlainQueue.objects.filter(pk=old).update(errors=[{"at": died, "type": None, "error": "bad"}])
    recent = queue.dead().filter(died_at__gte=timezone.now() - timedelta(days=1))
    assert [letter.pk for letter in recent] == [new]
    assert abs(recent.get().died_at - timezone.now()) < timedelta(minutes=5)


def test_one_without_a_record_of_its_runs_died_when_it_was_claimed_last():
    (number,) = bury()
    PlainQueue.objects.update(errors=None)
    letter = queue.dead().get(pk=number)
    assert (letter.died_at, letter.error_type) == (letter.claimed_at, None)


def test_what_died_meanwhile_is_no_part_of_a_bulk_that_is_under_way(monkeypatch):
    """And none of what was revived comes up again."""
    monkeypatch.setattr(deadletters, "BATCH", 2)
    bury(6)
    done = [queue.dead().requeue() for _ in range(2)]
    assert done == [(6, 0), (0, 0)]


def test_two_at_once_move_each_dead_letter_once():
    bury(400)
    moved, barrier = [], threading.Barrier(2)

    def work():
        barrier.wait()
        moved.append(queue.dead().requeue())
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sum(m for m, _ in moved), [s for _, s in moved], queue.count()) == (400, [0, 0], 400)


def test_async_code_has_the_same_verbs():
    first, *_ = bury(3)

    async def use():
        assert await queue.adiscard([first]) == {first}
        assert await queue.dead().arequeue(delay=5) == (2, 0)
        assert await queue.dead().adiscard() == 0

    async_to_sync(use)()
