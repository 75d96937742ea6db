"""`manage.py executor` in the foreground: what its options do."""

import os
import signal
import subprocess
import sys

import pytest

from django_tpq.futures.models import CallQueue, Task
from django_tpq.main.models import Consumer
from tests.failures.accidents import tasks
from tests.fixtures.process import environment, is_alive
from tests.testapp import tasks as others


def test_its_help_names_every_option(transactional_db):
    done = subprocess.run(
        [sys.executable, "-m", "django", "executor", "--help"],
        env=environment(), capture_output=True, text=True, check=True,
    )  # fmt: skip
    options = "--foreground -f --threads -t --processes --queue --database --once --drain --max-tasks --grace"
    for option in f"{options} --autoreload --pidfile --logfile --stop --status".split():
        assert f"{option} " in done.stdout or f"{option}," in done.stdout or f"{option}\n" in done.stdout
    assert "--child" not in done.stdout


def test_a_drain_runs_what_is_due_and_ends(executor):
    future, later = tasks.deliveries.delay(), tasks.deliveries.using(delay=600).delay()
    assert executor("-t", "2", "--drain").process.wait(60) == 0
    assert future.result() == 0
    assert not later.is_done()


def test_a_drain_runs_what_its_calls_enqueue_too(executor):
    future = others.start_another.delay()
    assert executor("--once").process.wait(60) == 0
    assert future.result().result() == 3


def test_a_drain_goes_on_when_a_process_dies_in_it(executor, tmp_path):
    killer, others = tasks.die_once.delay(str(tmp_path / "dead")), tasks.deliveries.delay_many([()] * 20)
    assert executor("-t", "1", "--processes", "2", "--once").process.wait(60) == 0
    assert killer.result() == "survived"
    assert all(other.is_done() for other in others)


def test_threads_and_processes_are_how_many_calls_run_at_once(executor, tmp_path, eventually):
    process = executor("-t", "2", "--processes", "2")
    notes, go = tmp_path / "notes", tmp_path / "go"
    futures = tasks.wait_for.delay_many([(str(notes), str(go))] * 5)

    def four_run():
        assert notes.exists()
        assert notes.read_text().count("waits") == 4
        assert sum(Task.objects.filter(name__endswith="wait_for").values_list("running", flat=True)) == 4

    eventually(four_run, 20)
    assert len(process.children()) == 2
    go.touch()
    assert [future.result(wait=20) for future in futures] == [1] * 5


def test_only_the_named_queues_are_served(executor):
    mail, other = others.mail.delay("ada"), tasks.deliveries.delay()
    executor("-t", "1", "--queue", "mail")
    assert mail.result(wait=20) == "mail to ada"
    assert Consumer.objects.get().queues == ["mail"]
    assert not other.is_done()
    executor("-t", "1", "--queue", "default", "--queue", "mail")
    assert other.result(wait=20) == 0


def test_a_process_is_replaced_after_so_many_calls_and_nothing_is_lost(executor):
    executor("-t", "4", "--max-tasks", "50")
    futures = tasks.process.delay_many([()] * 160)
    served = [future.result(wait=60)[0] for future in futures]
    assert len(set(served)) == 4
    assert max(served.count(pid) for pid in set(served)) == 50
    assert CallQueue.objects.all().count() == 0


def test_a_drain_of_more_than_a_processs_calls_is_gone_on_with_by_the_next(executor):
    futures = tasks.process.delay_many([()] * 25)
    assert executor("-t", "1", "--max-tasks", "10", "--once").process.wait(60) == 0
    assert len({future.result()[0] for future in futures}) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_it_in_order(executor, number):
    process = executor("-t", "2")
    tasks.deliveries.delay().result(wait=20)
    children = process.children()
    os.kill(process.process.pid, number)
    assert process.process.wait(30) == 0
    assert not any(is_alive(pid) for pid in children)
    assert not Consumer.objects.exists()
    assert "Traceback" not in process.text()


def test_a_signal_during_the_start_stops_it_too(executor):
    process = executor("-t", "1", wait=False)
    process.says("started")
    assert process.stop() == 0
    assert not Consumer.objects.filter(lost_at=None).exists()
