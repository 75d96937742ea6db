"""A database for one run."""

import contextlib
import logging
from collections.abc import Iterator

from django.core.management import call_command
from django.db import connection, connections


@contextlib.contextmanager
def fresh() -> Iterator[None]:
    """Make this run's database, migrate it, and drop it after the block."""
    name = connection.ops.quote_name(connection.settings_dict["NAME"])
    with connections["server"].cursor() as cursor:
        cursor.execute(f"CREATE DATABASE {name}")
    try:
        call_command("migrate", verbosity=0)
        yield
    finally:
        logging.getLogger("tpq.bell").setLevel(logging.ERROR)  # it would say that its database is gone
        connection.close()
        with connections["server"].cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name} WITH (FORCE)")
