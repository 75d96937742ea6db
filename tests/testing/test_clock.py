"""A clock that a test moves: only what waits in queues notices."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from django_tpq.futures import CallExpired, Future, ticking
from django_tpq.futures.models import CallQueue, Schedule
from django_tpq.futures.moments import ahead
from django_tpq.futures.ticking import Ticker
from django_tpq.main.errors import QueueEmpty
from django_tpq.testing import assert_enqueued, clock, run_pending
from tests.testapp import tasks
from tests.testapp.models import PlainQueue
from tpq.errors import LeaseLost

pytestmark = pytest.mark.django_db
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NEW_YEAR = datetime(2040, 1, 1, tzinfo=UTC)


def outcomes():
    return [ran.outcome for ran in run_pending()]


def test_a_delay_passes():
    future = tasks.add.using(delay=HOUR).delay(1, 2)
    with clock() as moved:
        moved.advance(minutes=59)
        assert outcomes() == []
        moved.advance(timedelta(minutes=1))
        assert outcomes() == ["returned"]
    assert future.result() == 3


def test_a_delay_begins_when_the_call_is_made():
    with clock() as moved:
        moved.advance(hours=3)
        tasks.add.using(delay=HOUR).delay(1, 2)
        assert outcomes() == []
        moved.advance(hours=1)
        assert outcomes() == ["returned"]


@pytest.mark.parametrize("before", [timedelta(0), DAY, -DAY])
def test_a_moment_comes(before):
    with clock() as moved:
        moved.move_to(NEW_YEAR - HOUR - before)
        moved.advance(before)
        tasks.add.using(run_after=NEW_YEAR + DAY).delay(1, 2)
        tasks.add.using(run_after=NEW_YEAR + DAY).delay_many([(1, 2)])
        assert_enqueued(tasks.add, run_after=NEW_YEAR + DAY, count=2)
        moved.move_to(NEW_YEAR + DAY - timedelta(seconds=30))
        assert outcomes() == []
        moved.move_to(NEW_YEAR + DAY)
        assert outcomes() == ["returned", "returned"]


def test_the_past_may_be_the_present():
    long_ago = datetime(2020, 5, 1, tzinfo=UTC)
    with clock() as moved:
        moved.move_to(long_ago)
        tasks.add.using(run_after=long_ago + HOUR).delay(1, 2)
        tasks.echo.using(delay=60).delay()
        assert outcomes() == []
        moved.advance(minutes=2)
        assert [ran.task for ran in run_pending()] == ["tests.testapp.tasks.echo"]
        moved.advance(hours=1)
        assert outcomes() == ["returned"]


@pytest.mark.parametrize("expires", [HOUR, NEW_YEAR + HOUR], ids=["duration", "moment"])
def test_a_call_expires_by_the_moved_clock(expires):
    with clock() as moved:
        moved.move_to(NEW_YEAR)
        calls = [tasks.add.using(expires=expires, delay=delay).delay(1, 2) for delay in (3000, 4000)]
        moved.advance(minutes=59)
        assert outcomes() == ["returned"]
        moved.advance(minutes=10)
        assert outcomes() == ["raised"]
    assert [type(call.exception()) for call in calls] == [type(None), CallExpired]


def test_retries_wait_for_their_time():
    future = tasks.stumble.using(backoff=HOUR).delay(2)
    with clock() as moved:
        moved.advance(days=30)
        assert outcomes() == ["again"]
        moved.advance(minutes=59)
        assert outcomes() == []
        moved.advance(minutes=1)
        assert outcomes() == ["again"]
        moved.advance(hours=1)
        assert outcomes() == ["returned"]
    assert future.result() == 3


def test_leases_end_and_other_queues_notice_too():
    PlainQueue.objects.enqueue("leased")
    PlainQueue.objects.enqueue("later", delay=DAY)
    with clock() as moved, late_ack(), PlainQueue.objects.receive(lease=HOUR):
        moved.advance(minutes=59)
        with pytest.raises(QueueEmpty):
            PlainQueue.objects.dequeue()
        moved.advance(minutes=1)
        with PlainQueue.objects.receive(lease=60) as again:
            assert (again.body, again.deliveries) == ("leased", 1)
        moved.advance(hours=23)
        assert PlainQueue.objects.dequeue() == "later"


def late_ack():
    return pytest.raises(LeaseLost)


def test_it_says_what_time_it_is():
    with clock() as moved:
        assert abs(moved.now() - timezone.now()) < timedelta(minutes=1)
        moved.move_to(NEW_YEAR)
        assert timedelta(0) <= moved.now() - NEW_YEAR < timedelta(minutes=1)


def test_nobody_elses_time_changes():
    before = time.time(), timezone.now()
    with clock() as moved:
        moved.advance(days=1000)
        assert time.time() - before[0] < 600
        assert timezone.now() - before[1] < timedelta(minutes=10)


def test_behind_it_there_is_the_present_again():
    moment = timezone.now() + DAY
    tasks.add.using(run_after=moment).delay(1, 2)
    enqueued_at = CallQueue.objects.get().enqueued_at
    with clock() as moved:
        moved.advance(hours=7)
        tasks.echo.using(run_after=moment).delay()
        assert ahead.get() == timedelta(hours=7)
        assert {call.due_at for call in CallQueue.objects.all()} == {moment - timedelta(hours=7)}
    assert ahead.get() == timedelta(0)
    assert {call.due_at for call in CallQueue.objects.all()} == {moment}
    assert CallQueue.objects.earliest("id").enqueued_at == enqueued_at


def test_after_an_error_too():
    def fail_later():
        with clock() as moved:
            moved.advance(hours=7)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_later()
    assert ahead.get() == timedelta(0)


def test_nonsense_is_refused():
    with clock() as moved:
        for wrong in (moved.advance, lambda: moved.advance(HOUR, hours=1)):
            with pytest.raises(TypeError, match="timedelta, or its parts"):
                wrong()
        with pytest.raises(TypeError, match="time zone"):
            moved.move_to(datetime(2040, 1, 1))  # noqa: DTZ001 - that is what is wrong


def test_its_fixture(tpq_clock, tpq):
    tasks.add.using(delay=60).delay(1, 2)
    tpq_clock.advance(minutes=1)
    assert len(tpq.run_pending()) == 1


# Periodic tasks -------------------------------------------------------------------------------------------


@pytest.fixture
def hourly():
    return Schedule.objects.create(name="hourly", task="tests.testapp.tasks.slot", every=HOUR, misfire="skip")


def test_slots_come_when_the_clock_is_moved_and_each_has_its_call(hourly):
    with clock() as moved:
        assert outcomes() == []
        for _ in range(3):
            moved.advance(HOUR)
            assert outcomes() == ["returned"]
            hourly.refresh_from_db()
            assert Future.get(hourly.last_call).result() == hourly.last_at
            assert moved.now() - HOUR < hourly.last_at <= moved.now()


@pytest.mark.parametrize(("overlap", "calls"), [("queue", 24), ("skip", 1)])
def test_a_leap_goes_from_slot_to_slot_and_nobody_runs_the_calls_meanwhile(hourly, overlap, calls):
    Schedule.objects.update(overlap=overlap)
    with clock() as moved:
        moved.advance(DAY)
        assert outcomes() == ["returned"] * calls


def test_a_long_leap_over_a_schedule_of_seconds_does_not_stop_at_each_slot(hourly, monkeypatch):
    Schedule.objects.update(every=timedelta(seconds=1), overlap="skip")
    looks, look = [], Ticker._look
    monkeypatch.setattr(Ticker, "_look", lambda self, connection: looks.append(1) or look(self, connection))
    with clock() as moved:
        for _ in range(3):
            moved.advance(30 * DAY)
            assert outcomes() == ["returned"]
            hourly.refresh_from_db()
            assert hourly.last_at + 29 * DAY < hourly.skipped_at < hourly.next_at
            assert hourly.skipped_at <= moved.now() < hourly.next_at + timedelta(seconds=5)
    assert len(looks) < 30


def test_a_leap_over_too_many_calls_says_how_to_do_without(hourly, monkeypatch):
    monkeypatch.setattr(ticking, "FAR", 50)
    Schedule.objects.update(overlap="queue")
    with clock() as moved:
        with pytest.raises(RuntimeError, match=r"Schedule\.objects\.update\(enabled=False\)"):
            moved.move_to(NEW_YEAR)
        Schedule.objects.update(enabled=False)
        moved.move_to(NEW_YEAR)


# Without time zones ---------------------------------------------------------------------------------------


@pytest.fixture
def berlin(settings):
    """A project with USE_TZ off."""
    settings.TIME_ZONE, settings.USE_TZ = "Europe/Berlin", False
    connection.close()
    return settings


@pytest.mark.django_db(transaction=True)
def test_it_moves_with_use_tz_off_too(berlin):
    Schedule.objects.create(
        name="at nine", task="tests.testapp.tasks.slot", cron="0 9 * * *", timezone="Asia/Tokyo"
    )
    mine = Schedule(name="mine", task="tests.testapp.tasks.slot", every=HOUR, start_at=datetime(2026, 1, 1))  # noqa: DTZ001
    mine.full_clean()
    mine.save()
    with clock() as moved:
        moved.move_to(NEW_YEAR)
        assert abs(timezone.make_aware(moved.now()) - NEW_YEAR) < timedelta(minutes=1)
        assert sorted(ran.task for ran in run_pending()) == ["tests.testapp.tasks.slot"] * 2
    assert set(Schedule.objects.values_list("error", flat=True)) == {""}


def test_a_schedule_that_can_not_be_followed_is_no_reason_to_fail(hourly):
    Schedule.objects.update(task="nobody.knows")
    with clock() as moved:
        moved.advance(HOUR)
        assert outcomes() == []
    hourly.refresh_from_db()
    assert "nobody.knows" in hourly.error
