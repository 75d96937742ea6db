"""A new version of the tables, under executors and producers of the release before."""

import contextlib
import io
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from chaos.arena import Arena
from chaos.scenario import Scenario
from chaos.server import OwnServer

__all__ = ["SCENARIOS"]

ROOT = Path(__file__).parents[2]
SCHEMA = "src/tpq/schema.py"


def _git(*arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(ROOT), *arguments], check=True, capture_output=True).stdout


def _release_before() -> str:
    """The last commit with another version of the tables than the one that is here."""
    now = _version((ROOT / SCHEMA).read_text())
    changes = _git("log", "--format=%H^", "-G^VERSION = ", "--", SCHEMA).decode().split()
    for commit in ("HEAD", *changes):
        if _version(_git("show", f"{commit}:{SCHEMA}").decode()) != now:
            return commit
    raise LookupError("the history knows of no version before this one")


def _version(source: str) -> str:
    return re.findall(r"^VERSION = (\d+)", source, re.MULTILINE)[0]


def hindrance() -> str | None:
    """The release before is in the history; is there one?"""
    try:
        _release_before()
    except (OSError, subprocess.CalledProcessError, LookupError) as error:
        return f"the release before can not be had from git: {error}"
    return None


@contextlib.contextmanager
def release_before(server: OwnServer) -> Iterator[Mapping[str, str]]:
    """Tables and processes of the release before."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(_git("archive", _release_before()))) as archive:
            archive.extractall(folder, filter="data")
        told = {"CHAOS_TREE": folder, "PYTHONPATH": f"{folder}{os.pathsep}{folder}/src"}
        with server.connect() as owner:
            owner.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        _migrate(server, told)
        yield told


def _migrate(server: OwnServer, told: Mapping[str, str]) -> None:
    environment = (
        os.environ | server.environment | told | {"DJANGO_SETTINGS_MODULE": "chaos.project.settings"}
    )
    command = [sys.executable, "-m", "django", "migrate", "--verbosity=0", "--skip-checks"]
    subprocess.run(command, check=True, env=environment, cwd=told.get("CHAOS_TREE") or ROOT)


def upgrade(arena: Arena) -> None:
    """`migrate` under the load of executors and producers of the release before; new ones join, the old ones end."""
    new = {"CHAOS_TREE": "", "PYTHONPATH": str(ROOT)}
    old = list(arena.executors)
    _migrate(arena.server, new)
    arena.pause(4)
    arena.start_executor(**new)
    arena.start_actors(roles=["producer", "asker", "leaser"], **new)
    arena.pause(4)
    for executor in old:
        if code := executor.stop():
            arena.troubles.append(f"{executor.log.name} was told to end, and ended with {code}")
        arena.executors.remove(executor)
        arena.start_executor(**new)
        arena.pause(1)


SCENARIOS = (
    Scenario(
        name="upgrade",
        about=" ".join((upgrade.__doc__ or "").split()),
        inject=upgrade,
        hindrance=hindrance,
        world=release_before,
        options={"max_connections": "200"},
    ),
)
