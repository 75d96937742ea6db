"""How long a server lives: as long as anybody uses it, and no longer."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded.conftest import FAST, Client, is_down, until
from tpq.embedded import start
from tpq.embedded.guard import GUARD, LEASE, SERVER, Postmaster
from tpq.embedded.locks import is_held

SOON = 6.0


def guard_of(base: Path) -> int | None:
    """The guard's process id."""
    table = subprocess.run(
        ["ps", "-ww", "-eo", "pid=,args="], capture_output=True, text=True, check=True
    ).stdout
    found = [line for line in table.splitlines() if "guard.py" in line and f'"base": "{base}"' in line]
    return int(found[0].split()[0]) if found else None


def left(base: Path) -> set[str]:
    """What is in the directory beside the files that stay."""
    stay = {"boot", GUARD, LEASE, SERVER, "server.log", ".gitignore", "data", "socket"}
    return {entry.name for entry in base.iterdir()} - stay


def test_processes_share_one_server_that_goes_with_the_last_of_them(client, bare):
    clients = [client() for _ in range(3)]
    assert len({each.pid for each in clients}) == 1
    clients[0].query("CREATE TABLE kept AS SELECT 42 AS answer")
    for each in clients[:2]:
        each.close()
    assert clients[2].query("SELECT answer FROM kept") == 42
    clients[2].close()
    until(lambda: is_down(bare), SOON)
    assert "database system is shut down" in (bare / "server.log").read_text()
    assert client().query("SELECT answer FROM kept") == 42


def test_it_goes_when_all_are_killed(client, path):
    clients = [client() for _ in range(3)]
    assert len({each.pid for each in clients}) == 1
    for each in clients:
        each.kill()
    until(lambda: is_down(path), SOON)


@pytest.mark.parametrize("moment", ["init-*/PG_VERSION", "data/postmaster.pid"])
def test_a_client_killed_while_the_server_is_made_leaves_nothing(client, bare, moment):
    one = client(grace=0.1)
    until(lambda: list(bare.glob(moment)))
    one.kill()
    until(lambda: is_held(bare / GUARD))
    until(lambda: is_down(bare), SOON)
    assert not left(bare)
    assert client().query("SELECT 1") == 1


@pytest.mark.parametrize("moment", ["init-*/PG_VERSION", "data/postmaster.pid"])
def test_a_guard_killed_while_the_server_is_made_is_replaced(client, bare, moment):
    one = client()
    until(lambda: list(bare.glob(moment)))
    os.kill(guard_of(bare), signal.SIGKILL)
    assert "gave no answer" in one.answer.get("error", "gave no answer")
    two = client()
    assert two.query("SELECT 1") == 1
    assert not left(bare)


def test_a_killed_guard_is_replaced_by_the_next_client(client, path):
    one = client(grace=0.1)
    first = one.pid
    os.kill(guard_of(path), signal.SIGKILL)
    until(lambda: not is_held(path / GUARD))
    two = client(grace=0.1)
    assert two.pid == first
    one.kill()
    two.kill()
    until(lambda: is_down(path), SOON)


def test_a_guard_that_is_told_to_end_stops_the_server(client, path):
    one = client()
    assert one.pid
    os.kill(guard_of(path), signal.SIGTERM)
    until(lambda: is_down(path))
    assert one.ask("start")["pid"] != one.answer["pid"]


def test_a_second_guard_goes_away(client, path):
    one = client()
    assert one.pid
    table = subprocess.run(
        ["ps", "-o", "args=", "-ww", "-p", str(guard_of(path))], capture_output=True, text=True, check=True
    )
    words = table.stdout.strip().split(" ", 4)
    again = subprocess.run(words, capture_output=True, text=True, check=True, timeout=10)
    assert again.stdout == '{"state": "busy"}\n'
    assert one.query("SELECT 1") == 1


def test_a_killed_postmaster_is_raised_again(client, path):
    one = client(parameters={})
    one.query("CREATE TABLE kept AS SELECT 42 AS answer")
    os.kill(one.pid, signal.SIGKILL)
    until(lambda: one.ask("start")["pid"] != one.answer["pid"], 2.0)  # a signal takes a moment, too
    assert one.query("SELECT answer FROM kept") == 42


def test_the_process_id_of_a_killed_server_may_be_somebody_elses(client, path):
    one = client()
    killed, guard = one.pid, guard_of(path)
    owner = (path / "data").stat()
    everything = (path / "data/postmaster.pid").read_text().split("\n", 1)
    socket_lock = next((path / "socket").glob("*.lock"))
    os.kill(guard, signal.SIGKILL)
    os.kill(killed, signal.SIGKILL)
    one.kill()
    until(lambda: is_down_but_for_files(path))
    become = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "30"], **become) as other:
        for file in (path / "data/postmaster.pid", socket_lock):
            file.write_text(f"{other.pid}\n{everything[1]}")
        assert client().query("SELECT 1") == 1
        other.kill()


def is_down_but_for_files(base: Path) -> bool:
    return not is_held(base / SERVER) and not is_held(base / GUARD)


def test_a_server_that_somebody_else_started_is_left_alone(client, path):
    one = client(grace=0.1)
    programs, data = Path(one.answer["bin"]), path / "data"
    owner = data.stat()
    become = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    one.kill()
    until(lambda: is_down(path))
    command = [programs / "postgres", "-D", str(data), "-k", str(path / "socket"), "-c", "listen_addresses="]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, cwd="/", **become) as other:
        until(lambda: (running := Postmaster.read(data)) and running.ready)
        assert f"process {other.pid}" in client(grace=0.1).answer["error"]
        assert other.poll() is None
        other.send_signal(signal.SIGQUIT)


def test_a_forked_process_keeps_the_server(client, path):
    one = client(grace=0.1)
    assert one.pid
    child = one.ask("fork")
    assert one.process.wait(10) == 0
    assert one.ask("start")["pid"] == one.answer["pid"]  # asked through the parent's pipes
    other = client(grace=0.1)
    assert other.pid == one.pid
    other.kill()
    os.kill(child, signal.SIGKILL)
    until(lambda: is_down(path), SOON)


def test_a_program_that_stays_behind_does_not_keep_it(client, path):
    one = client(grace=0.1)
    assert one.pid
    program = one.ask("leave")
    one.kill()
    until(lambda: is_down(path), SOON)
    os.kill(program, signal.SIGKILL)


def test_a_daemon_that_closed_its_files_gets_a_lease_again(client, path):
    one = client()
    assert one.ask("daemon")["pid"] == one.answer["pid"]
    assert one.ask("start")["pid"] == one.answer["pid"]
    other = client()
    assert other.pid == one.pid
    other.kill()
    with (path / LEASE).open() as lease, pytest.raises(BlockingIOError):
        exclusively(lease.fileno())


def exclusively(file: int) -> None:
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_removed_directory_starts_afresh(client, path):
    one = client()
    one.query("CREATE TABLE kept AS SELECT 42 AS answer")
    moved = path.rename(path.with_name("old"))
    assert one.ask("start")["pid"] != one.answer["pid"]
    assert one.query("SELECT to_regclass('kept') IS NULL")
    os.kill(one.pid, signal.SIGQUIT)
    until(lambda: not is_held(moved / SERVER))


def test_starting_again_costs_next_to_nothing(path, benchmark_of):
    first = start(path, parameters=FAST)
    assert start(str(path)) is first
    assert benchmark_of(lambda: start(path)) < 0.002


@pytest.fixture
def benchmark_of() -> Callable[[Callable[[], object]], float]:
    """The time a call takes, on average."""
    from timeit import timeit

    return lambda call: timeit(call, number=500) / 500


def test_threads_share_one_server(path):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        servers = set(pool.map(lambda _: start(path, parameters=FAST), range(16)))
    assert len(servers) == 1


def test_it_survives_that_its_starter_is_interrupted(client, path):
    one: Client = client()
    assert one.pid
    os.kill(one.process.pid, signal.SIGINT)
    one.close()
    two = client()
    assert two.pid == one.pid
