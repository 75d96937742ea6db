"""Where calls run: threads, an event loop that all coroutines share, processes of their own. By real executors."""

import time

import pytest
from django.db import connection

from django_tpq.futures import ExecutorLost, task
from django_tpq.futures.models import CallQueue
from django_tpq.futures.options import LANES, TaskOptions
from tests.fixtures.process import children_of, is_alive
from tests.testapp import long_tasks as tasks


def test_each_task_runs_where_it_says(executor):
    running = executor("-t", "2")
    (child,) = running.children()
    pid, name = tasks.in_thread.delay().result(wait=20)
    assert pid == child
    assert name.startswith("tpq-")
    assert tasks.in_loop.delay().result(wait=20) == (child, "tpq-async")
    pid, name = tasks.coroutine_in_thread.delay().result(wait=20)
    assert pid == child
    assert name != "tpq-async"
    pid, name = tasks.in_process.delay().result(wait=20)
    assert pid in children_of(child)
    assert name == "MainThread"


def test_a_call_can_be_sent_elsewhere_than_its_task_says(executor):
    executor("-t", "2")
    call = tasks.in_thread.using(executor="process").delay()
    assert call.result(wait=20)[1] == "MainThread"


def test_hundreds_of_coroutines_run_at_once(executor, tmp_path):
    executor("-t", "1")
    path = str(tmp_path / "met")
    futures = tasks.meet.delay_many([(path, 300)] * 300)
    assert [future.result(wait=60) for future in futures] == [300] * 300


def test_a_lane_that_is_full_stands_in_no_others_way(executor, tmp_path):
    executor("-t", "1", "--workers", "1")
    tasks.spend_in_process.delay_many([(2,)] * 600)
    tasks.hold_thread.delay_many([(2,)] * 600)
    assert tasks.in_loop.delay().result(wait=20)


def test_what_computes_uses_more_than_one_process(executor):
    executor("-t", "1", "--workers", "2")
    futures = tasks.spend_in_process.delay_many([(0.3,)] * 8)
    assert len({future.result(wait=60) for future in futures}) == 2


def test_arguments_results_and_errors_of_a_process_come_back(executor):
    executor("-t", "1", "--workers", "1")
    assert tasks.echo_in_process.delay(1, a=b"\0" * 100_000).result(wait=20) == ((1,), {"a": b"\0" * 100_000})
    with pytest.raises(ValueError, match="in a process") as raised:
        tasks.fail_in_process.delay().result(wait=20)
    assert "raise ValueError" in raised.value.__notes__[0]


def test_a_worker_that_dies_takes_nothing_along_and_its_call_is_given_up_in_the_end(executor, tmp_path):
    running = executor("-t", "2", "--workers", "1")
    (child,) = running.children()
    path = tmp_path / "runs"
    with pytest.raises(ExecutorLost, match="2 times"):
        tasks.end_the_process.delay(str(path)).result(wait=30)
    assert path.read_text() == "run\n" * 2
    row = CallQueue.objects.get(state="dead")
    assert [entry["error"] for entry in row.errors] == [
        "its worker process died (exit code 3) while it ran"
    ] * 2
    assert running.children() == [child]
    assert tasks.in_process.delay().result(wait=20)


def test_workers_end_with_their_executor(executor):
    running = executor("-t", "1", "--workers", "1")
    tasks.in_process.delay().result(wait=20)
    (child,) = running.children()
    workers = children_of(child)
    assert len(workers) == 1
    running.kill()
    deadline = time.monotonic() + 10
    while any(map(is_alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_is_replaced_after_its_number_of_calls(executor):
    executor("-t", "1", "--workers", "1", "--max-tasks", "2")
    pids = [future.result(wait=60)[0] for future in tasks.in_process.delay_many([()] * 4)]
    assert len(set(pids)) == 2


def test_a_connection_of_coroutines_that_broke_is_replaced(executor):
    executor("-t", "1", TPQ_TEST_CONN_MAX_AGE="None")
    first = tasks.backend_pid.delay().result(wait=20)
    assert tasks.backend_pid.delay().result(wait=20) == first
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", [first])
    tasks.backend_pid.delay().exception(wait=20)  # the one that finds it broken
    assert tasks.backend_pid.delay().result(wait=20) != first


def test_who_blocks_the_loop_is_named_once(executor):
    running = executor("-t", "1")
    blocking, waiting = tasks.block.delay(8), tasks.in_loop.delay()
    assert blocking.result(wait=30) is None
    assert waiting.result(wait=10)
    text = running.text()
    assert text.count("the event loop has not turned for") == 1
    assert "in hold" in text
    assert tasks.in_loop.delay().result(wait=10)


# Without processes ----------------------------------------------------------------------------------------


def test_coroutine_functions_run_in_the_event_loop_unless_they_say_otherwise():
    assert tasks.in_loop.options.executor == "async"
    assert tasks.coroutine_in_thread.options.executor == "thread"
    assert tasks.in_thread.options.executor is None


@pytest.mark.django_db
def test_the_lane_is_written_where_it_is_not_the_first():
    futures = [tasks.in_thread.delay(), tasks.in_loop.delay(), tasks.in_process.delay()]
    rows = {row.pk: row.lane for row in CallQueue.objects.all()}
    assert [rows[future._call.number] for future in futures] == [0, LANES["async"], LANES["process"]]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"executor": "fork"}, "must be one of thread, async, process"),
        ({"executor": "async"}, "for coroutine functions"),
        ({"timeout": 0}, "longer than nothing"),
        ({"timeout": "5"}, "timeout must be seconds or a timedelta"),
        ({"expires": -1}, "expires must be from 0"),
    ],
)
def test_what_does_not_fit_is_said_when_the_module_loads(options, text):
    with pytest.raises((TypeError, ValueError), match=f"plain: .*{text}"):
        task(**options)(plain)


def plain() -> None: ...


def test_a_coroutine_can_not_be_atomic_in_the_event_loop():
    with pytest.raises(ValueError, match="can not span an await"):
        TaskOptions(executor="async", atomic=True)


@pytest.mark.django_db
def test_a_claim_of_one_lane_reads_the_index_of_ready_calls(by_hand):
    tasks.in_process.delay_many([()] * 10)
    tasks.in_thread.delay()
    assert [call.task for call in by_hand.tables["default"].claim(1, 100)] == [
        "tests.testapp.long_tasks.in_thread"
    ]
    assert by_hand.tables["default"].lanes([1, 2]) == [2]
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE indexname = 'tpq_call_ready'")
        assert "(lane, priority DESC, seq)" in cursor.fetchone()[0]
