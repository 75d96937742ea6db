"""Which slots get their call, which do not any more. Without a database."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_tpq.futures import Cron, Every
from django_tpq.futures.slots import MOST, jitter_of, plan

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


def minutes(*ago):
    return [NOON - n * MINUTE for n in ago]


def planned(misfire, *, since, grace=90, now=NOON):
    return plan(Every(60, misfire=misfire, grace=grace), NOON - since * MINUTE, now)


@pytest.mark.parametrize("misfire", ["skip", "latest", "all"])
def test_what_is_due_now_or_late_by_no_more_than_the_grace_gets_its_call(misfire):
    assert planned(misfire, since=1) == (minutes(1, 0), None, NOON + MINUTE)


def test_a_slot_is_missed_when_it_is_later_than_the_grace():
    late = plan(Every(60, grace=60, misfire="skip"), NOON, NOON + 60 * SECOND)
    assert late.due == [NOON, NOON + MINUTE]
    missed = plan(Every(60, grace=60, misfire="skip"), NOON, NOON + 60.001 * SECOND)
    assert missed == ([NOON + MINUTE], NOON, NOON + 2 * MINUTE)


def test_skip_drops_what_was_missed_and_says_so():
    assert planned("skip", since=5) == (minutes(1, 0), NOON - 2 * MINUTE, NOON + MINUTE)


def test_latest_makes_up_for_the_newest_that_was_missed():
    assert planned("latest", since=5) == (minutes(2, 1, 0), NOON - 3 * MINUTE, NOON + MINUTE)
    assert planned("latest", since=2) == (minutes(2, 1, 0), None, NOON + MINUTE)


def test_all_makes_up_for_each():
    assert planned("all", since=5) == (minutes(5, 4, 3, 2, 1, 0), None, NOON + MINUTE)


def test_all_are_a_hundred_at_most_the_newest():
    found = planned("all", since=500)
    assert found == (minutes(*range(MOST - 1, -1, -1)), NOON - MOST * MINUTE, NOON + MINUTE)


def test_a_long_grace_is_bounded_alike():
    found = planned("skip", since=500, grace=timedelta(days=1))
    assert found == (minutes(*range(MOST - 1, -1, -1)), NOON - MOST * MINUTE, NOON + MINUTE)


def test_a_daily_task_that_was_missed_gets_its_call_when_executors_are_back():
    nightly = Cron("30 2 * * *", tz="Europe/Berlin")
    back = plan(nightly, datetime(2026, 5, 30, 0, 30, tzinfo=UTC), NOON)
    tonight = datetime(2026, 6, 1, 0, 30, tzinfo=UTC)
    assert back == ([tonight], tonight - timedelta(days=1), tonight + timedelta(days=1))


def test_the_last_slot_that_there_is_has_none_after_it():
    end = datetime.max.replace(tzinfo=UTC)
    assert plan(Every(timedelta(days=30_000)), NOON, end - MINUTE).next_at is None


@pytest.mark.parametrize("rule", [Every(1), Cron("* * * * *"), Cron("* * * 1 *", tz="Europe/Berlin")])
@pytest.mark.parametrize("misfire", ["skip", "latest", "all"])
def test_years_without_an_executor_are_no_work(rule, misfire):
    object.__setattr__(rule, "misfire", misfire)
    began = time.process_time()
    found = plan(rule, NOON - timedelta(days=3650), NOON)
    assert time.process_time() - began < 2
    assert len(found.due) <= MOST


schedules = st.builds(
    Every,
    st.integers(1, 500),
    misfire=st.sampled_from(["skip", "latest", "all"]),
    grace=st.integers(0, 300),
)


@settings(max_examples=300, deadline=None, derandomize=True, database=None)
@given(schedules, st.integers(0, 2000), st.integers(0, 5000))
def test_each_slot_is_called_or_skipped_and_none_is_forgotten(rule, ago, later):
    """From plan to plan: the slots that are called, and those up to the one that was skipped, are all there are."""
    begin = rule.after(NOON)
    now = begin + later * SECOND
    found = plan(rule, begin, now)
    every = list(rule.slots(begin - SECOND, now))
    assert found.due == every[len(every) - len(found.due) :]
    rest = every[: len(every) - len(found.due)]
    assert found.skipped == (rest[-1] if rest else None)
    assert found.next_at == rule.after(now)
    late = [slot for slot in every if now - slot <= rule.grace]
    wanted = {"skip": 0, "latest": 1, "all": MOST}[rule.misfire]
    assert len(found.due) == min(MOST, len(late) + min(wanted, len(every) - len(late)))


def test_jitter_is_the_same_for_the_same_slot_and_spread_over_its_time():
    rule = Every(60, jitter=30)
    delays = [jitter_of(rule, "name", NOON + n * MINUTE) for n in range(200)]
    assert delays == [jitter_of(rule, "name", NOON + n * MINUTE) for n in range(200)]
    assert min(delays) >= timedelta(0)
    assert max(delays) <= 30 * SECOND
    assert len({delay // (3 * SECOND) for delay in delays}) == 10
    assert jitter_of(rule, "other", NOON) != delays[0]
