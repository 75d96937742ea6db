"""The lane of worker processes by itself, with real ones."""

import queue

import pytest

from django_tpq.futures.foreman import Terms
from django_tpq.futures.outcomes import Success
from django_tpq.futures.processes import ProcessLane
from tests.testapp import long_tasks as tasks

TERMS = Terms(["--skip-checks", "--database=default"])


@pytest.fixture
def lane():
    """A lane of one worker; it is ended after the test."""
    lane = ProcessLane(TERMS, 1, lambda call, progress: None, lambda: None, lambda call: False)
    yield lane
    lane.close()


@pytest.fixture
def outcome(lane):
    """Run a call in it; what it ended with."""

    def outcome(call, **options):
        ended = queue.SimpleQueue()
        lane.start(call, ended.put, **options)
        return ended.get(timeout=60)

    return outcome


@pytest.mark.django_db(transaction=True)
def test_a_call_that_is_anothers_when_its_worker_has_come_up_does_not_begin(by_hand, outcome, tmp_path):
    """Its executor may have been taken for dead meanwhile: frozen, or without its database."""
    notes = tmp_path / "notes"
    tasks.write_in_process.delay(str(notes), "late")
    tasks.write_in_process.delay(str(notes), "in time")
    late, in_time = by_hand.claim()
    assert outcome(late, is_ours=lambda: False) is None
    assert isinstance(outcome(in_time, is_ours=lambda: True), Success)
    assert notes.read_text() == "in time\n"
