"""When a periodic task is due. Without a database."""

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from django_tpq.futures import Cron, Every, schedules

HOUR, MINUTE, SECOND = timedelta(hours=1), timedelta(minutes=1), timedelta(seconds=1)
SPRING, AUTUMN = datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)
"""When clocks are set in Berlin."""
BERLIN, LORD_HOWE = "Europe/Berlin", "Australia/Lord_Howe"


def shown(expression, zone, after, count):
    """The next slots as the clock on the wall shows them, with its distance to UTC."""
    slots = Cron(expression, tz=zone).slots(after, after + timedelta(days=400))
    return [f"{slot.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for slot in itertools.islice(slots, count)]


# Cron: clocks that are set ----------------------------------------------------------------------------------


def test_a_time_that_is_left_out_has_its_slot_at_the_end_of_the_gap():
    assert shown("30 2 * * *", BERLIN, SPRING - 20 * HOUR, 3) == [
        "29 03:00 +0200",
        "30 02:30 +0200",
        "31 02:30 +0200",
    ]


def test_a_time_that_comes_twice_has_one_slot_the_first_time():
    assert shown("30 2 * * *", BERLIN, AUTUMN - 24 * HOUR, 3) == [
        "25 02:30 +0200",
        "26 02:30 +0100",
        "27 02:30 +0100",
    ]


@pytest.mark.parametrize("minutes", range(0, 60, 7))
def test_one_slot_is_not_found_again_within_the_hour_that_comes_twice(minutes):
    assert Cron("30 2 * * *", tz=BERLIN).after(AUTUMN + minutes * MINUTE) == AUTUMN + 24.5 * HOUR


def test_several_times_that_are_left_out_have_one_slot_together():
    assert shown("15,45 2 * * *", BERLIN, SPRING - 12 * HOUR, 2) == ["29 03:00 +0200", "30 02:15 +0200"]


def test_an_interval_goes_on_through_a_gap():
    assert shown("*/30 * * * *", BERLIN, SPRING - 31 * MINUTE, 3) == [
        "29 01:30 +0100",
        "29 03:00 +0200",
        "29 03:30 +0200",
    ]


def test_an_interval_goes_on_through_an_hour_that_comes_twice():
    assert shown("*/30 * * * *", BERLIN, AUTUMN - 61 * MINUTE, 5) == [
        "25 02:00 +0200",
        "25 02:30 +0200",
        "25 02:00 +0100",
        "25 02:30 +0100",
        "25 03:00 +0100",
    ]


def test_a_zone_that_is_set_by_half_an_hour():
    spring, autumn = datetime(2026, 10, 3, 10, tzinfo=UTC), datetime(2026, 4, 4, 10, tzinfo=UTC)
    assert shown("15 2 * * *", LORD_HOWE, spring, 2) == ["04 02:30 +1100", "05 02:15 +1100"]
    assert shown("45 1 * * *", LORD_HOWE, autumn, 2) == ["05 01:45 +1100", "06 01:45 +1030"]
    assert shown("45 * * * *", LORD_HOWE, autumn + 4 * HOUR, 4) == [
        "05 01:45 +1100",
        "05 01:45 +1030",
        "05 02:45 +1030",
        "05 03:45 +1030",
    ]
    assert shown("0 */2 * * *", LORD_HOWE, autumn + 2 * HOUR, 3) == [
        "05 00:00 +1100",
        "05 02:00 +1030",
        "05 04:00 +1030",
    ]


def test_a_day_that_begins_with_a_gap():
    before = datetime(2026, 9, 5, 12, tzinfo=UTC)
    assert shown("0 0 * * *", "America/Santiago", before, 2) == ["06 01:00 -0300", "07 00:00 -0300"]


SET = {  # a moment when clocks are set, in zones of all kinds
    BERLIN: (SPRING, AUTUMN),
    LORD_HOWE: (datetime(2026, 4, 4, 15, tzinfo=UTC), datetime(2026, 10, 3, 15, 30, tzinfo=UTC)),
    "America/Santiago": (datetime(2026, 4, 5, 3, tzinfo=UTC), datetime(2026, 9, 6, 4, tzinfo=UTC)),
    "Antarctica/Troll": (datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)),
    "Africa/Casablanca": (datetime(2026, 2, 15, 2, tzinfo=UTC), datetime(2026, 3, 22, 2, tzinfo=UTC)),
    "Pacific/Chatham": (datetime(2026, 4, 4, 14, tzinfo=UTC), datetime(2026, 9, 26, 14, tzinfo=UTC)),
    "Asia/Tokyo": (SPRING,),
}
EXPRESSIONS = {
    "0 */2 * * *": (range(1), range(0, 24, 2)),
    "*/7 * * * *": (range(0, 60, 7), range(24)),
    "45 * * * *": (range(45, 46), range(24)),
    "45 1 * * *": (range(45, 46), range(1, 2)),
    "30 2 * * *": (range(30, 31), range(2, 3)),
    "*/15 2 * * *": (range(0, 60, 15), range(2, 3)),
    "15,45 1,2 * * *": ((15, 45), (1, 2)),
    "0 0 * * *": (range(1), range(1)),
    "5 */4 * * *": (range(5, 6), range(0, 24, 4)),
    "*/20 23 * * *": (range(0, 60, 20), range(23, 24)),
    "10 1-3 * * *": (range(10, 11), range(1, 4)),
}


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize(("name", "moment"), [(name, m) for name, moments in SET.items() for m in moments])
def test_the_slots_are_those_that_a_look_at_the_clock_each_minute_finds(name, moment, expression):
    begin, end = moment - 15 * HOUR, moment + 15 * HOUR
    seen = list(looked_for(*EXPRESSIONS[expression], "*" in expression[:4], ZoneInfo(name), begin, end))
    cron = Cron(expression, tz=name)
    assert list(cron.slots(begin, end)) == seen
    for minutes in range(0, 29 * 60, 11):  # from anywhere, not only from slot to slot
        after = begin + minutes * MINUTE + 13 * SECOND
        assert cron.after(after) == next(slot for slot in [*seen, cron.after(end)] if slot > after)


def looked_for(minutes, hours, is_interval, zone, begin, end):
    """Somebody looks at the clock on the wall once a minute; at times of the day he notes what he has noted never."""
    before = begin.astimezone(zone)
    for passed in itertools.count(1):
        moment = begin + passed * MINUTE
        if moment > end:
            return
        wall = moment.astimezone(zone)
        left_out = wall.utcoffset() - before.utcoffset()
        times = [wall.replace(tzinfo=None)] if is_interval or not wall.fold else []
        if not is_interval and left_out > timedelta(0):
            times += [wall.replace(tzinfo=None) - n * MINUTE for n in range(1, left_out // MINUTE + 1)]
        if any(time.minute in minutes and time.hour in hours for time in times):
            yield moment
        before = wall


# Cron: the rest -------------------------------------------------------------------------------------------


def test_the_library_says_what_an_expression_means():
    christmas = datetime(2026, 12, 24, tzinfo=UTC)
    assert Cron("0 9 * * MON-FRI").after(christmas + 40 * HOUR) == datetime(2026, 12, 28, 9, tzinfo=UTC)
    assert Cron("0 0 L * *").after(christmas) == datetime(2026, 12, 31, tzinfo=UTC)
    assert Cron("0 0 29 2 *").after(christmas) == datetime(2028, 2, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "* * * * * *", "61 * * * *", "a b c d e", "0 0 31 2 *", "@daily"]
)
def test_what_is_no_expression_is_refused_with_its_text(expression):
    with pytest.raises(ValueError, match="cron expression") as refused:
        Cron(expression)
    assert repr(expression) in str(refused.value)


@pytest.mark.parametrize("zone", ["Europe/Berlim", "", "../etc/passwd", "Europe/", 3, "\0"])
def test_a_time_zone_that_there_is_not_is_refused(zone):
    with pytest.raises(ValueError, match="there is no time zone"):
        Cron("0 0 * * *", tz=zone)


def test_without_the_library_a_schedule_can_be_written_down_but_not_followed(monkeypatch):
    monkeypatch.setattr(schedules, "_cronsim", lambda: None)
    cron = Cron("0 0 * * *")
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'django-tpq\[cron\]'"):
        cron.after(AUTUMN)
    assert Every(60).after(AUTUMN) == AUTUMN + MINUTE


# Every ----------------------------------------------------------------------------------------------------

moments = st.integers(0, 7_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
intervals = st.timedeltas(SECOND, timedelta(days=400))


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(intervals, st.none() | moments, moments)
def test_slots_are_as_far_from_each_other_as_the_interval_and_from_the_anchor_a_multiple(
    interval, start, moment
):
    every = Every(interval, start=start)
    first = every.after(moment)
    assert every.after(first) - first == interval
    assert (first - (start or schedules.EPOCH)) % interval == timedelta(0)
    assert moment < first
    assert first <= max(moment + interval, start or moment)


def test_the_first_slot_is_the_start():
    assert Every(HOUR, start=AUTUMN).after(SPRING) == AUTUMN


def test_slots_do_not_drift_however_late_one_asks():
    every = Every(10, start=AUTUMN)
    assert [every.after(AUTUMN + late) - AUTUMN for late in (3 * SECOND, 19.9 * SECOND)] == [
        10 * SECOND,
        20 * SECOND,
    ]


def test_a_day_of_an_interval_is_24_hours_whatever_the_clocks_do():
    start = datetime(2026, 10, 24, 12, tzinfo=ZoneInfo(BERLIN))
    assert Every(timedelta(days=1), start=start).after(AUTUMN).astimezone(ZoneInfo(BERLIN)).hour == 11


@pytest.mark.parametrize("interval", [0, 0.5, -5, timedelta(0), 1e12])
def test_an_interval_is_from_a_second_to_a_hundred_years(interval):
    with pytest.raises(ValueError, match="interval"):
        Every(interval)


@pytest.mark.parametrize("interval", [None, "5", True, float("nan")])
def test_an_interval_is_a_duration(interval):
    with pytest.raises(TypeError, match="the interval must be seconds or a timedelta"):
        Every(interval)


def test_a_start_needs_a_time_zone():
    with pytest.raises(TypeError, match="start must be a datetime with a time zone"):
        Every(5, start=SPRING.replace(tzinfo=None))


# Both -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"misfire": "some"}, "misfire must be one of skip, latest, all, not 'some'"),
        ({"overlap": "wait"}, "overlap must be one of skip, queue, not 'wait'"),
        ({"grace": -1}, "grace must be from nothing to a hundred years, not -1"),
        ({"jitter": "5"}, "jitter must be seconds or a timedelta, not '5'"),
        ({"args": "abc"}, "args must be a list or a tuple, not 'abc'"),
        ({"kwargs": [1]}, r"kwargs must be a dict, not \[1\]"),
        ({"args": [{1, 2}]}, "args and kwargs of a schedule must be JSON: .*set"),
        ({"kwargs": {"x": float("nan")}}, "args and kwargs of a schedule must be JSON"),
        ({"kwargs": {"x": "a\0b"}}, r"must be JSON: kwargs.x: .* NUL"),
        ({"args": ["\ud800"]}, r"must be JSON: args.*: .*surrogate"),
    ],
)
@pytest.mark.parametrize("made", [lambda **options: Cron("* * * * *", **options), lambda **o: Every(5, **o)])
def test_an_option_that_does_not_fit_is_refused_with_its_name(made, options, text):
    with pytest.raises((TypeError, ValueError), match=text):
        made(**options)


def test_a_schedule_says_what_it_is():
    assert str(Cron("0 2 * * *", tz=BERLIN)) == "0 2 * * * (Europe/Berlin)"
    assert str(Every(90)) == "every 0:01:30"
