"""`DATABASE_URL`: a connection string of libpq as an entry of `DATABASES`."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

__all__ = ["entry_of"]

FIELDS = {"HOST": "host", "PORT": "port", "USER": "user", "PASSWORD": "password"}


def entry_of(address: str, name: str) -> dict[str, Any]:
    """The entry; all that Django has no field for goes into `OPTIONS`.

    Args:
        address: `postgresql://user:password@host:port/database?option=value`, also with several hosts.
        name: the database if the address names none.
    """
    try:
        given = conninfo_to_dict(address)
    except ProgrammingError:  # whose text would show the password
        raise ImproperlyConfigured(
            "DATABASE_URL is not the address of a PostgreSQL (postgresql://…)"
        ) from None
    fields = {field: given.pop(keyword, None) or "" for field, keyword in FIELDS.items()}
    database = given.pop("dbname", None) or name
    return {"ENGINE": "django.db.backends.postgresql", "NAME": database, **fields, "OPTIONS": given}
