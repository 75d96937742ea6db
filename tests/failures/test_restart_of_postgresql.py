"""PostgreSQL goes and comes back under an executor: nothing is lost, and it works on."""

import os
import signal
import socket
import time

import pytest
from django.db import connection

from django_tpq.futures.models import CallQueue
from tests.failures.accidents import tasks


@pytest.mark.parametrize("how", [signal.SIGQUIT, signal.SIGKILL])
def test_calls_that_run_and_wait_have_their_results_after_a_restart(own_server, own_executor, waiters, how):
    executor = own_executor("-t", "4")
    running = waiters.call(4)
    waiters.have_begun(4)
    waiting = tasks.deliveries.delay_many([()] * 300)
    later = tasks.deliveries.using(delay=2).delay()
    before = executor.children()
    own_server.end(how)
    waiters.let_go()
    own_server.start()
    connection.close()
    assert [future.result(wait=60) for future in running] == [1, 1, 1, 1]
    assert {future.result(wait=60) for future in [*waiting, later, tasks.deliveries.delay()]} == {0}
    assert executor.children() == before
    assert CallQueue.objects.count(state="dead") == 0


def test_a_long_absence_is_said_once_when_it_begins_and_once_when_it_ends(
    own_server, own_executor, eventually
):
    executor = own_executor("-t", "2")
    assert tasks.query.delay().result(wait=20)
    own_server.end(signal.SIGQUIT)

    def absence_is_noticed():
        # the supervisor, its process, and the bell of the process
        assert executor.text().count("the database is away") == 2
        assert executor.text().count("the bell is out of order") == 1

    eventually(absence_is_noticed, 20)
    turn_away(own_server, 8)
    own_server.start()
    connection.close()
    assert tasks.query.delay().result(wait=30)

    def return_is_said():
        assert executor.text().count("the database is back") == 2
        assert executor.text().count("the bell works again") == 1

    eventually(return_is_said, 30)
    absence_is_noticed()


def test_an_executor_stops_in_order_while_the_database_is_away(own_server, own_executor):
    executor = own_executor("-t", "2", "--grace", "5")
    own_server.end(signal.SIGQUIT)
    assert executor.stop() == 75
    assert "ending while the database is away" in executor.text()
    assert "Traceback" not in executor.text()


def test_one_that_lets_nobody_write_is_away_once(own_server, own_executor, eventually):
    executor = own_executor("-t", "2")
    with own_server.connect() as owner:
        owner.execute("ALTER ROLE postgres SET default_transaction_read_only = on")
        _end_all(owner)

    def both_have_noticed():
        assert executor.text().count("the database is away") >= 2

    eventually(both_have_noticed, 20)
    time.sleep(5)  # both try again meanwhile
    assert executor.text().count("the database is away") == 2
    assert "the database is back" not in executor.text()
    with own_server.connect() as owner:
        owner.execute("SET default_transaction_read_only = off")
        owner.execute("ALTER ROLE postgres RESET default_transaction_read_only")
        _end_all(owner)
    connection.close()
    assert tasks.query.delay().result(wait=30)
    assert executor.text().count("the database is back") <= 2


def _end_all(owner):
    owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )


def test_the_status_says_that_the_database_is_away_and_that_the_executor_lives(
    own_server, own_executor, tmp_path
):
    pid_file = tmp_path / "executor.pid"
    executor = own_executor("-t", "2", f"--pidfile={pid_file}")
    own_server.end(signal.SIGQUIT)
    asked = executor.command("--status", f"--pidfile={pid_file}")
    assert asked.returncode == 1
    assert f"executor of {pid_file}: pid {executor.process.pid}" in asked.stdout
    assert "the database 'default' is away; its executors live on, and try again: " in asked.stderr
    assert "Traceback" not in asked.stderr


def test_a_process_that_dies_meanwhile_is_replaced_and_its_calls_run_again(own_server, own_executor, waiters):
    executor = own_executor("-t", "2")
    futures = waiters.call(2)
    waiters.have_begun(2)
    own_server.end(signal.SIGQUIT)
    os.kill(executor.children()[0], signal.SIGKILL)
    waiters.let_go()
    own_server.start()
    connection.close()
    assert [future.result(wait=60) for future in futures] == [2, 2]


def test_all_connections_may_be_ended_at_any_time(own_server, own_executor, eventually):
    executor = own_executor("-t", "4")
    futures = tasks.query.delay_many([()] * 500)
    with own_server.connect() as admin:
        for _ in range(10):
            eventually(lambda: terminate(admin), 20)
    connection.close()
    # A query may have been the one that was ended: its call failed, as it would in a request.
    errors = [future.exception(wait=60) for future in futures]
    assert {type(error).__name__ for error in errors} <= {"NoneType", "OperationalError"}
    assert errors.count(None) > 400
    assert CallQueue.objects.exclude(state="dead").count() == 0
    assert executor.process.poll() is None


def terminate(admin):
    """End all connections but this one; there have to be some."""
    assert admin.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
    ).fetchall()


def turn_away(server, times):
    """Answer that many attempts to connect by closing the door."""
    with socket.socket(socket.AF_UNIX) as door:
        path = server.room / ".s.PGSQL.5432"
        path.unlink(missing_ok=True)
        door.bind(str(path))
        door.listen()
        for _ in range(times):
            door.accept()[0].close()
