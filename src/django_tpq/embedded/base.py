"""Django's PostgreSQL backend on a server of our own, which the first connection starts."""

from typing import Any

from django.db.backends.postgresql import base

from django_tpq.embedded.client import DatabaseClient
from django_tpq.embedded.creation import DatabaseCreation
from django_tpq.embedded.running import run

__all__ = ["DatabaseWrapper"]


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the embedded PostgreSQL."""

    client_class = DatabaseClient
    creation_class = DatabaseCreation

    def get_connection_params(self) -> dict[str, Any]:
        """Where to connect. The server runs when this returns."""
        run(self.settings_dict)
        return super().get_connection_params()
