"""What was measured on: the head of a run."""

import datetime
import os
import platform
import re
import shutil
import subprocess
from pathlib import Path

import django
import psycopg

import django_tpq
from benchmarks.journal import Line
from benchmarks.peers.__main__ import load
from benchmarks.places import ROOT
from benchmarks.server import SETTINGS, Database

__all__ = ["head"]


def head(database: Database, peers: list[tuple[str, str]], *, quick: bool) -> Line:
    """Machine, versions and date, and what the systems are run as."""
    return {
        "kind": "head",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "quick": quick,
        "machine": _machine(),
        "versions": _versions(database),
        "settings": _settings(database),
        "configs": {name: load(name).configs for name, _ in peers},
    }


def _machine() -> dict[str, object]:
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": os.cpu_count(),
        "memory": f"{int(_field('/proc/meminfo', 'MemTotal').split()[0]) / 2**20:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
    }


def _field(file: str, name: str) -> str:
    lines = (line.partition(":") for line in Path(file).read_text().splitlines())
    return next((value.strip() for key, _, value in lines if key.strip() == name), "")


def _versions(database: Database) -> dict[str, str]:
    with database.connect() as connection:
        row = connection.execute("SHOW server_version").fetchone()
    assert row is not None
    return {
        "django-tpq": django_tpq.__version__,
        "commit": _commit(),
        "Python": platform.python_version(),
        "Django": django.__version__,
        "psycopg": psycopg.__version__,
        "PostgreSQL": row[0],
        "Redis": "".join(re.findall(r"v=(\S+)", _said("redis-server", "--version"))),
    }


def _commit() -> str:
    """The commit, and whether what is measured has changed since."""
    git = ("git", "-C", str(ROOT))
    changed = _said(*git, "status", "--porcelain", "--untracked-files=no", "--", "src", "benchmarks")
    return _said(*git, "rev-parse", "--short", "HEAD") + ("+changes" if changed else "")


def _said(*command: str) -> str:
    """What a command says; nothing if it is not there or has failed."""
    if shutil.which(command[0]) is None:
        return ""
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()


def _settings(database: Database) -> dict[str, str]:
    with database.connect() as connection:
        return {name: _shown(connection, name) for name in SETTINGS}


def _shown(connection: psycopg.Connection, name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", [name]).fetchone()
    assert row is not None
    return str(row[0])
