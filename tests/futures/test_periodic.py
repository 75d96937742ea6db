"""Periodic tasks in real executors: one call a slot, in time, whoever dies."""

import statistics
import time
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from django_tpq.futures.models import CallQueue, Schedule
from tests.testapp import tasks

SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def notes(tmp_path):
    path = tmp_path / "notes"
    path.touch()
    return path


def schedule(notes, **columns):
    given = {"task": tasks.note_slot.name, "args": [str(notes)], "overlap": "queue", "grace": HOUR}
    return Schedule.objects.create(**given | columns)


def noted(notes):
    """Slots, the ids of their calls, and when these ran."""
    lines = [line.split() for line in notes.read_text().splitlines()]
    return [(datetime.fromisoformat(slot), call, float(at)) for slot, call, at in lines]


def until(is_so, seconds):
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_two_executors_make_one_call_a_slot_and_so_does_the_one_that_is_left(executor, notes):
    first, second = executor("-t", "2"), executor("-t", "2", "--processes", "2")
    schedule(notes, name="each second", every=SECOND)
    until(lambda: len(noted(notes)) >= 4, 30)
    first.kill()
    count = len(noted(notes))
    until(lambda: len(noted(notes)) >= count + 6, 40)
    assert second.stop() == 0
    made = {(slot, call) for slot, call, _ in noted(notes)}
    left = {(datetime.fromisoformat(row.headers["slot"]), "not run yet") for row in CallQueue.objects.all()}
    slots = sorted(slot for slot, _ in made | left)
    assert slots == [slots[0] + n * SECOND for n in range(len(slots))]
    assert slots[-1] == Schedule.objects.get().last_at


def test_a_call_starts_well_within_a_second_of_its_slot(executor, notes):
    executor("-t", "2")
    schedule(notes, name="each two seconds", every=2 * SECOND)
    until(lambda: len(noted(notes)) >= 5, 60)
    assert statistics.median(at - slot.timestamp() for slot, _, at in noted(notes)) < 0.5


def test_what_people_change_takes_effect_within_seconds(executor, notes):
    executor("-t", "2")
    mine = schedule(notes, name="mine", every=HOUR, start_at=timezone.now() + HOUR)
    until(lambda: Schedule.objects.get().next_at is not None, 20)
    Schedule.objects.update(cron="", every=SECOND, start_at=None)
    until(lambda: noted(notes), 20)
    mine.refresh_from_db()
    mine.enabled = False
    mine.save()
    time.sleep(2.5)
    count = len(noted(notes))
    time.sleep(2.5)
    assert len(noted(notes)) == count


def test_an_executor_that_only_runs_what_is_due_runs_due_slots(executor, notes):
    mine = schedule(notes, name="mine", every=HOUR)
    executor("--once").process.wait(60)
    assert noted(notes) == []
    Schedule.objects.update(next_at=mine.__class__.objects.get().next_at - HOUR)
    executor("--once").process.wait(60)
    ((slot, call, _),) = noted(notes)
    mine.refresh_from_db()
    assert (mine.last_at, mine.last_call, mine.next_at) == (slot, call, slot + HOUR)


def test_many_schedules_and_one_that_is_lost_hinder_nobody(executor, notes):
    process = executor("-t", "4")
    schedule(notes, name="lost", task="gone.task", every=SECOND)
    for n in range(40):
        schedule(notes, name=f"schedule {n}", every=2 * SECOND)
    until(lambda: len({call for _, call, _ in noted(notes)}) >= 200, 60)
    assert tasks.add.delay(1, 2).result(wait=20) == 3
    process.says("schedule lost is not followed: this executor does not know the task 'gone.task'")
    assert process.text().count("schedule lost is not followed") == 1
    assert process.stop() == 0
    calls = [(slot, call) for slot, call, _ in noted(notes)]
    assert len({call for _, call in calls}) == len(calls)
    per_slot = [sum(slot == other for other, _ in calls) for slot in sorted({slot for slot, _ in calls})]
    assert max(per_slot) == 40
    assert "gone.task" in Schedule.objects.get(name="lost").error
