"""Test databases."""

from typing import Any

from django.db.backends.postgresql import creation

__all__ = ["DatabaseCreation"]


class DatabaseCreation(creation.DatabaseCreation):
    """Django's, for servers that have no address yet when test databases are told apart."""

    def test_db_signature(self) -> tuple[Any, ...]:
        """The server by its path: the host is not known before the first connection."""
        settings = self.connection.settings_dict
        return (settings["EMBEDDED"]["path"], settings["ENGINE"], super().test_db_signature()[-1])
