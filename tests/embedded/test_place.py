"""Where a server lives, and who gets at it."""

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded.conftest import SOURCE, is_down, until
from tpq.embedded import EmbeddedError, directory
from tpq.embedded.directory import account_for, locate, reaches, socket_directory
from tpq.embedded.guard import Account

NOBODY = Account(65534, 65534)


@pytest.fixture
def home(root: None, room: Path) -> Path:
    """A home nobody else can enter."""
    home = room / "home"
    home.mkdir(0o700)
    return home


def modes(path: Path) -> dict[Path, int]:
    return {each: each.lstat().st_mode for each in (path, *path.parents)}


def test_where_the_server_can_not_go_a_file_names_its_directory(client, home, state):
    before = modes(home)
    one, two = client(home / "pg"), client(home / "pg")
    assert one.pid == two.pid
    assert Path((home / "pg").read_text().strip()) == one.base
    assert one.base.parent == state / "servers"
    assert modes(home) == before
    (home / "pg").unlink()
    three = client(home / "pg")
    assert three.base != one.base
    assert three.pid != one.pid
    assert one.query("SELECT 1") == 1


def test_what_a_pointer_names_is_made_again(home, state):
    base = locate(home / "pg")
    base.joinpath(".gitignore").unlink()
    base.rmdir()
    assert locate(home / "pg") == base
    assert base.is_dir()


@pytest.mark.parametrize(
    "text", ["/etc", "", "{state}/servers/../../x", "{state}/servers", "{state}/servers/a\n/etc"]
)
def test_a_pointer_leads_only_to_the_state_directory(home, state, text):
    (home / "pg").write_text(text.format(state=state))
    with pytest.raises(EmbeddedError, match="names no directory"):
        locate(home / "pg")


def test_a_pointer_of_somebody_else_is_not_followed(home, state):
    (home / "pg").write_text(str(locate(home / "other")))
    os.chown(home / "pg", *NOBODY)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        locate(home / "pg")


def test_processes_that_leave_a_pointer_at_once_agree(home, state):
    code = f"from tpq.embedded.directory import *; from pathlib import Path; print(locate(Path({str(home / 'pg')!r})))"
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    every = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    assert len({each.communicate()[0] for each in every}) == 1
    assert [entry.name for entry in home.iterdir()] == ["pg"]


def test_a_symbolic_link_is_not_followed(room):
    (room / "real").mkdir()
    (room / "pg").symlink_to(room / "real")
    with pytest.raises(EmbeddedError, match="symbolic link"):
        locate(room / "pg")
    (room / "pg").unlink()
    (room / "pg").symlink_to(room / "nowhere")
    with pytest.raises(EmbeddedError, match="symbolic link"):
        locate(room / "pg")


def test_a_lock_file_is_not_opened_through_a_link(client, path, room):
    (room / "target").write_text("kept")
    (path / "lease").unlink()
    (path / "lease").symlink_to(room / "target")
    assert "lease" in client().answer["error"]
    assert (room / "target").read_text() == "kept"


def test_a_directory_of_somebody_else_is_not_used(root, room):
    (room / "pg").mkdir()
    os.chown(room / "pg", *NOBODY)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        locate(room / "pg")


def test_a_directory_that_others_can_write_is_not_used(room):
    (room / "pg").mkdir()
    (room / "pg").chmod(0o777)
    with pytest.raises(EmbeddedError, match="written by others"):
        locate(room / "pg")


def test_a_state_directory_of_somebody_else_is_not_used(home, state):
    state.mkdir(0o755)
    os.chown(state, *NOBODY)
    with pytest.raises(EmbeddedError, match="belongs to another user"):
        locate(home / "pg")


@pytest.mark.parametrize("name", ['it\'s a "b" \\ ü 100%', "a,b", "long" * 25])
def test_every_path_gets_a_socket(client, room, path, name):
    path.rename(room / name)
    one = client(room / name, grace=0.1)
    assert one.query("SELECT 1") == 1
    outside = name == "a,b" or name.startswith("long")
    assert (Path(one.answer["host"]).parent == room / name) is not outside
    if outside:
        one.kill()
        until(lambda: is_down(room / name))
        Path(one.answer["host"]).rmdir()


def test_the_short_place_of_the_socket_is_not_taken_over(room, monkeypatch):
    monkeypatch.setattr(directory.tempfile, "gettempdir", lambda: str(room))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    base = room / ("long" * 25)
    base.mkdir()
    account = account_for(base)
    place = socket_directory(base, account)
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert socket_directory(base, account) == place
    place.chmod(0o755)
    with pytest.raises(EmbeddedError, match="in the way"):
        socket_directory(base, account)
    place.rmdir()
    place.symlink_to(room)
    with pytest.raises(EmbeddedError, match="in the way"):
        socket_directory(base, account)


def test_another_user_can_not_connect(client, path, root):
    one = client()
    assert one.pid
    if account_for(path) == NOBODY:
        pytest.skip("there is no user postgres: the server runs as nobody itself")
    assert not reaches(NOBODY, Path(one.answer["host"]))
    assert stat.S_IMODE(Path(one.answer["host"]).stat().st_mode) == 0o700
    with socket.socket(socket.AF_UNIX) as ours:
        ours.connect(f"{one.answer['host']}/.s.PGSQL.5432")


def test_it_listens_on_no_network(client, path):
    assert client().query("SELECT current_setting('listen_addresses')") == ""


def test_a_plain_user_has_it_in_place(client, plain, room):
    home = room / "home"
    home.mkdir(0o700)
    os.chown(home, *NOBODY)
    one = client(home / "pg", env={"HOME": str(home)}, **plain)
    assert one.base == home / "pg"
    assert one.query("SELECT 1") == 1
    assert {each.stat().st_uid for each in one.base.iterdir()} == {NOBODY.uid}
    owner = subprocess.run(
        ["ps", "-o", "uid=", "-p", str(one.pid)], capture_output=True, text=True, check=True
    )
    assert int(owner.stdout) == NOBODY.uid
    # and root, who comes later, joins it, or raises it as that user
    two = client(home / "pg", grace=0.1)
    assert two.pid == one.pid
    os.kill(one.pid, 9)
    until(lambda: two.ask("start").get("pid") not in (None, str(one.pid)))
    one.kill()
    two.kill()
    until(lambda: is_down(home / "pg"))
    assert client(home / "pg", **plain).query("SELECT 1") == 1


def test_a_plain_user_does_not_get_at_roots(client, path, plain):
    assert client().pid
    assert "belongs to another user" in client(**plain).answer["error"]


def test_root_of_a_container_has_it_too(client, root, bare):
    kept = "chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,net_raw,sys_chroot,mknod"
    drop = [
        "setpriv",
        "--inh-caps=-all",
        "--bounding-set=-all," + ",".join(f"+{cap}" for cap in kept.split(",")),
    ]
    if subprocess.run([*drop, "true"], check=False).returncode:
        pytest.skip("no setpriv here")
    one = client(wrap=drop, grace=0.1)
    assert one.query("SELECT 1") == 1
    one.kill()
    until(lambda: is_down(bare))


def test_without_the_right_to_change_users_root_is_told(client, root, bare):
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-setuid,-setgid"]
    if subprocess.run([*drop, "true"], check=False).returncode:
        pytest.skip("no setpriv here")
    assert "we may not become" in client(wrap=drop).answer["error"]
