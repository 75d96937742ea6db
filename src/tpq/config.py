"""Where the engine finds its server when nobody hands it a connection: arguments first, then the environment.

`TPQ_URL` (a libpq URI or conninfo string), or `TPQ_HOST`, `TPQ_DB`, `TPQ_USER`, `TPQ_PASS`.
"""

import os
from collections.abc import Mapping

import psycopg
from psycopg.conninfo import make_conninfo

from tpq.errors import ConfigError

__all__ = ["connect"]

ENVIRONMENT = {"host": "TPQ_HOST", "dbname": "TPQ_DB", "user": "TPQ_USER", "password": "TPQ_PASS"}


def connect(
    *,
    host: str | None = None,
    dbname: str | None = None,
    user: str | None = None,
    password: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> psycopg.Connection:
    """Open an autocommit connection.

    Raises:
        ConfigError: the server can not be reached with these settings. The password is never shown.
    """
    environment = os.environ if environment is None else environment
    url = environment.get("TPQ_URL", "")
    named = {} if url else {key: environment.get(variable) for key, variable in ENVIRONMENT.items()}
    given = {"host": host, "dbname": dbname, "user": user, "password": password}
    settings = {key: value for key, value in (named | _set(given)).items() if value}
    try:
        target = make_conninfo(url, **settings)
    except psycopg.Error:  # its text may show the password
        raise ConfigError("TPQ_URL is not a connection string (postgresql://user@host/dbname)") from None
    try:
        return psycopg.connect(target, autocommit=True)
    except psycopg.Error as error:
        where = f"host={settings['host']}" if "host" in settings else "TPQ_URL" if url else "the default host"
        said = " ".join(str(error).split())
        raise ConfigError(f"cannot connect to PostgreSQL ({where}): {said}") from error


def _set(values: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: value for key, value in values.items() if value}
