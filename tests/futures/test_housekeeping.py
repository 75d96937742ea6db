"""What is over goes, as fast as it comes, however busy an executor is."""

from datetime import timedelta

import pytest
from django.utils import timezone

from django_tpq.futures import executor
from django_tpq.futures.executor import Executor
from django_tpq.futures.models import CallQueue, Result
from django_tpq.futures.places import Places
from django_tpq.main.connections import connect
from tpq.board import Board

NUMBER = 2 * executor.PURGED + 1


@pytest.fixture
def tick(transactional_db, monkeypatch):
    """A turn of a busy executor's loop, a long time after it has cleaned up."""
    monkeypatch.setattr(executor, "HOUSEKEEPING", 3600)
    busy = Executor(alias="default", names=["default"], places=Places(1, 1, 1), board=Board.create(3))
    busy._cleaned_at = -3600
    with connect("default") as connection, busy._ears:
        yield lambda: busy.tick(connection, idle=False)


def test_expired_results_go_with_each_turn_until_none_is_left(tick):
    over = timezone.now() - timedelta(seconds=1)
    Result.objects.bulk_create(Result(token=f"{n:022}", record=b"", expires_at=over) for n in range(NUMBER))
    Result.objects.create(token="kept", record=b"", expires_at=over + timedelta(hours=1))
    left = []
    for _ in range(3):
        tick()
        left.append(Result.objects.count())
    assert left == [executor.PURGED + 2, 2, 1]


def test_it_is_not_looked_for_again_before_its_time(tick):
    tick()
    over = timezone.now() - timedelta(seconds=1)
    Result.objects.create(token="later", record=b"", expires_at=over)
    tick()
    assert Result.objects.count() == 1


def test_dead_letters_go_alike(tick):
    over = timezone.now() - timedelta(seconds=1)
    dead = {"state": "dead", "due_at": over, "task": "t", "token": "t", "payload": b""}
    CallQueue.objects.bulk_create(CallQueue(**dead) for _ in range(NUMBER))
    tick()
    assert CallQueue.objects.count("dead") == executor.PURGED + 1
    tick()
    tick()
    assert CallQueue.objects.count("dead") == 0
