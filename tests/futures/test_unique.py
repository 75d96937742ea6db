"""Calls of which there is one at a time."""

import threading
import time
from datetime import timedelta

import pytest
from django.db import connections, transaction

from django_tpq.futures import CallCancelled, CallRolledBack, DuplicateCall, NotCommitted, task
from django_tpq.futures.models import CallQueue, Key
from django_tpq.testing import clock
from tests.testapp import tasks
from tpq.keys import KeyTable


def keys():
    return sorted(CallQueue.objects.values_list("unique_key", flat=True))


def test_the_same_arguments_are_one_call(transactional_db):
    first, again = tasks.index.delay(1), tasks.index.delay(1)
    assert first == again
    assert tasks.index.delay(2) != first
    assert tasks.index.delay(1, "de") != first
    assert CallQueue.objects.count() == 3


def test_both_futures_have_the_result_and_then_there_may_be_another(by_hand):
    first, again = tasks.index.delay(1), tasks.index.delay(1)
    by_hand.work()
    assert (first.result(), again.result()) == ("1:en", "1:en")
    assert tasks.index.delay(1) != first


def test_a_call_that_runs_is_there_still(by_hand):
    first = tasks.index.delay(1)
    by_hand.claim()
    assert tasks.index.delay(1) == first


def test_a_dead_one_is_in_nobodys_way(by_hand):
    dead = tasks.index.delay(1, 2, 3)  # it takes two
    by_hand.work()
    assert CallQueue.objects.get().state == "dead"
    assert tasks.index.delay(1, 2, 3) != dead


def test_an_error_names_the_task_the_key_and_the_other_call(transactional_db):
    first = tasks.bill.delay(7, amount=3)
    with pytest.raises(DuplicateCall) as caught:
        tasks.bill.delay(account=7, amount=4)
    assert "task tests.testapp.tasks.bill" in str(caught.value)
    assert first.id in str(caught.value)
    assert "account:7" in str(caught.value)
    tasks.bill.delay(8)
    assert keys() == ["tests.testapp.tasks.bill:account:7", "tests.testapp.tasks.bill:account:8"]


def test_an_error_breaks_no_transaction(transactional_db):
    tasks.bill.delay(7)
    with transaction.atomic():
        with pytest.raises(DuplicateCall):
            tasks.bill.delay(7)
        tasks.bill.delay(8)
    assert CallQueue.objects.count() == 2


def test_the_later_one_takes_the_place_of_one_that_waits(by_hand):
    first = tasks.refresh.using(delay=60).delay(7, source="first")
    second = tasks.refresh.delay(7, source="second")
    assert CallQueue.objects.count() == 1
    by_hand.work()
    assert second.result() == "second"
    with pytest.raises(CallCancelled, match=rf"refresh: call {first.id} was replaced by {second.id}"):
        first.result()
    assert first.state() == "cancelled"


def test_a_replacement_that_is_rolled_back_ends_nothing(by_hand):
    first = tasks.refresh.using(delay=60).delay(7, source="first")
    with transaction.atomic():
        tasks.refresh.delay(7, source="second")
        transaction.set_rollback(True)
    assert not first.is_done()
    assert first.state() == "waiting"


def test_one_that_runs_is_not_replaced(by_hand):
    first = tasks.refresh.delay(7)
    by_hand.claim()
    with pytest.raises(DuplicateCall, match="runs already"):
        tasks.refresh.delay(7)
    assert CallQueue.objects.get().token == first._call.token


def test_many_at_once_are_one_each(transactional_db):
    futures = tasks.index.delay_many([(1,), (2,), (1,), {"document": 2}])
    assert futures[0] == futures[2]
    assert futures[1] == futures[3]  # by position and by name
    assert CallQueue.objects.count() == 2


def test_a_single_call_may_be_unique_or_not(transactional_db):
    assert tasks.add.using(unique="args").delay(1, 2) == tasks.add.using(unique="args").delay(1, 2)
    assert tasks.index.using(unique=None).delay(1) != tasks.index.delay(1)


def test_a_delay_is_kept(transactional_db):
    tasks.index.using(delay=timedelta(hours=1)).delay(1)
    assert CallQueue.objects.get().state == "waiting"


def test_a_key_of_any_length_fits(transactional_db):
    long = tasks.refresh.using(unique=lambda *_, **__: "x" * 1000, on_duplicate="existing")
    other = tasks.refresh.using(unique=lambda *_, **__: "x" * 1001, on_duplicate="existing")
    assert long.delay(1) == long.delay(1) != other.delay(1)
    assert max(map(len, keys())) == 255


@pytest.mark.parametrize(
    ("unique", "said"),
    [
        ("{account.number}", "can not be filled in: AttributeError"),
        (lambda *_, **__: 7, "gave a int"),
    ],
)
def test_a_key_that_can_not_be_made_is_a_mistake_of_the_task(transactional_db, unique, said):
    with pytest.raises(TypeError, match=said):
        tasks.bill.using(unique=unique).delay(1)
    assert not CallQueue.objects.exists()


@pytest.mark.parametrize("unique", ["{acount}", "{", "{}", "{account!x}", "{account:{width}}", "}"])
@pytest.mark.parametrize("make", [tasks.bill.using, lambda **options: task(**options)(pay)])
def test_a_template_that_can_not_be_filled_in_makes_no_task(make, unique):
    with pytest.raises((TypeError, ValueError), match=r"task tests\..*(is no parameter|is no template)"):
        make(unique=unique)


@pytest.mark.parametrize("account", ["a\0b", "a\udc80b"], ids=ascii)
@pytest.mark.parametrize("make", [tasks.bill.delay, tasks.refresh.delay])
def test_a_key_that_postgresql_can_not_keep_is_refused_before_it_gets_there(transactional_db, account, make):
    with transaction.atomic():
        with pytest.raises(
            ValueError, match=r"task tests\.testapp\.tasks\.\w+: the key .* of a unique call has a"
        ):
            make(account)
        tasks.bill.delay(7)  # the transaction is whole
    assert CallQueue.objects.count() == 1


@pytest.mark.parametrize("options", [{"unique": 3}, {"unique": "args", "on_duplicate": "ignore"}])
def test_options_that_do_not_fit_are_refused(options):
    with pytest.raises((TypeError, ValueError), match="must be"):
        task(**options)(tasks.every_second_time)


@pytest.mark.parametrize("on_duplicate", ["existing", "replace"])
def test_of_many_producers_at_once_one_call_is_left(transactional_db, on_duplicate):
    futures, barrier = [], threading.Barrier(8)

    def produce():
        barrier.wait()
        call = tasks.index.using(on_duplicate=on_duplicate)
        futures.extend(call.delay(1) for _ in range(10))
        connections.close_all()

    threads = [threading.Thread(target=produce) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(futures) == 80
    assert CallQueue.objects.count() == 1


# Whose transaction it is ----------------------------------------------------------------------------------

TWICE = pytest.mark.parametrize(
    "again",
    [tasks.index.delay, lambda *args: tasks.index.delay_many([args])[0]],
    ids=["delay", "delay_many"],
)


@TWICE
def test_a_call_of_somebody_elses_is_committed_though_the_transaction_here_is_open(by_hand, again):
    tasks.index.delay(1)
    with transaction.atomic():
        other = again(1)
        by_hand.work()
        assert other.result() == "1:en"
        assert other.is_done()


@TWICE
def test_a_call_of_this_very_transaction_is_not(transactional_db, again):
    with transaction.atomic():
        first = tasks.index.delay(1)
        other = again(1)
        assert other == first
        assert not other.is_done()
        with pytest.raises(NotCommitted):
            other.result(wait=0)
        transaction.set_rollback(True)
    with pytest.raises(CallRolledBack):
        other.result()


@TWICE
def test_nor_one_of_a_transaction_by_hand(transactional_db, again):
    tasks.index.delay(2)
    transaction.set_autocommit(False)
    try:
        tasks.index.delay(1)
        tasks.index.delay(3)
        with pytest.raises(NotCommitted):
            again(1).result()
        assert again(2)._unborn is None
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)


def test_a_call_that_ended_before_its_key_was_asked_for_is_looked_for(by_hand):
    hourly = tasks.index.using(unique_for=3600)
    hourly.delay(1)
    by_hand.work()
    assert hourly.delay(1)._made_at == 0.0


# For a period ---------------------------------------------------------------------------------------------


def test_a_key_may_be_held_for_a_period_though_the_call_has_ended(by_hand):
    hourly = tasks.index.using(unique_for=3600)
    first = hourly.delay(1)
    by_hand.work()
    assert hourly.delay(1) == first
    assert first.result() == "1:en"
    assert CallQueue.objects.count() == 0
    assert hourly.delay(2) != first


def test_when_the_period_is_over_there_may_be_another(by_hand):
    hourly = tasks.index.using(unique_for=timedelta(hours=1))
    with clock() as moved:
        first = hourly.delay(1)
        by_hand.work()
        moved.advance(minutes=59)
        assert hourly.delay(1) == first
        moved.advance(minutes=2)
        second = hourly.delay(1)
        assert second != first
        moved.advance(minutes=59)
        assert hourly.delay(1) == second


def test_a_period_that_ends_between_two_looks_is_followed_by_the_next_one(by_hand, monkeypatch):
    hourly, take, is_held = tasks.index.using(unique_for=3600), KeyTable.take, [True]

    def taken_late(self, *args, **options):
        return False if is_held and is_held.pop() else take(self, *args, **options)

    monkeypatch.setattr(KeyTable, "take", taken_late)
    first = hourly.delay(1)
    by_hand.work()
    assert hourly.delay(1) == first


def test_a_call_that_has_not_ended_holds_its_key_longer_than_the_period(transactional_db):
    hourly = tasks.index.using(unique_for=1, delay=86400)
    first = hourly.delay(1)
    with clock() as moved:
        moved.advance(hours=1)
        assert hourly.delay(1) == first


def test_an_error_says_that_a_call_was_made_not_long_ago(by_hand):
    hourly = tasks.refresh.using(unique_for=3600)
    hourly.delay(7)
    by_hand.work()
    with pytest.raises(DuplicateCall, match="was made not long ago"):
        hourly.delay(7)
    assert CallQueue.objects.count() == 0
    with pytest.raises(DuplicateCall, match="has the key"):
        tasks.refresh.using(unique_for=3600, on_duplicate="error").delay(7)


def test_one_that_waits_is_replaced_within_the_period_too(by_hand):
    hourly = tasks.refresh.using(unique_for=3600)
    hourly.using(delay=60).delay(7, source="first")
    second = hourly.delay(7, source="second")
    by_hand.work()
    assert second.result() == "second"
    with pytest.raises(DuplicateCall):
        hourly.delay(7, source="third")


def test_a_period_that_is_rolled_back_never_was(by_hand):
    hourly = tasks.index.using(unique_for=3600)
    with transaction.atomic():
        hourly.delay(1)
        transaction.set_rollback(True)
    hourly.delay(1)
    assert CallQueue.objects.count() == 1


def test_two_at_the_same_moment_hold_it_once(by_hand, transactional_db):
    hourly = tasks.index.using(unique_for=3600)
    futures, barrier = [], threading.Barrier(4)

    def call():
        barrier.wait()
        futures.append(hourly.delay(1))
        connections.close_all()

    threads = [threading.Thread(target=call) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(futures)) == 1
    assert Key.objects.get().number == CallQueue.objects.get().pk


def test_keys_whose_period_is_over_are_forgotten(by_hand):
    tasks.index.using(unique_for=3600).delay(1)
    tasks.index.using(unique_for=0.001).delay(2)
    time.sleep(0.01)
    assert KeyTable(by_hand.connection.cursor).purge(100) == 1
    assert Key.objects.count() == 1


def test_a_period_needs_a_key():
    with pytest.raises(ValueError, match="give `unique`, too"):
        task(unique_for=60)(plain)


def plain() -> None: ...


def pay(account: int) -> None: ...
