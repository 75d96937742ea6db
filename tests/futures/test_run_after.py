"""A call may wait for a moment: the database's clock says when it has come."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from django.utils import timezone as django_timezone

from django_tpq.futures import task
from django_tpq.futures.models import CallQueue
from tests.testapp import tasks

BERLIN = timezone(timedelta(hours=1))


def soon(seconds=0.0):
    return django_timezone.now() + timedelta(seconds=seconds)


@pytest.mark.parametrize("moment", [datetime(2040, 1, 1, tzinfo=UTC), datetime(2040, 1, 1, 1, tzinfo=BERLIN)])
def test_it_is_kept_to_the_microsecond(transactional_db, moment):
    tasks.add.using(run_after=moment).delay(1, 2)
    tasks.add.using(run_after=moment).delay_many([(1, 2), (3, 4)])
    rows = CallQueue.objects.values_list("state", "due_at")
    assert set(rows) == {("waiting", datetime(2040, 1, 1, tzinfo=UTC))}
    assert len(rows) == 3


def test_calls_start_at_their_moment(executor):
    executor("-t", "2")
    tasks.add.delay(1, 2).result(wait=20)
    moments = [soon(seconds) for seconds in (0.5, 1.0, 1.5)]
    futures = [tasks.moment.using(run_after=moment).delay() for moment in moments]
    late = [
        future.result(wait=20) - moment.timestamp() for future, moment in zip(futures, moments, strict=True)
    ]
    assert all(0 <= by < 0.5 for by in late)


def test_a_moment_that_is_over_is_now(executor):
    executor("-t", "2")
    assert tasks.add.using(run_after=soon(-60)).delay(1, 2).result(wait=20) == 3


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"run_after": datetime(2040, 1, 1)}, "run_after must be a datetime with a time zone"),  # noqa: DTZ001
        ({"run_after": 60}, "run_after must be a datetime with a time zone"),
        ({"run_after": datetime(2040, 1, 1, tzinfo=UTC), "delay": 5}, "give a delay or run_after, not both"),
    ],
)
def test_what_is_no_moment_is_refused(options, said):
    with pytest.raises((TypeError, ValueError), match=said):
        task(**options)(tasks.every_second_time)
