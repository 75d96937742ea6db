"""Our backend under the name that the tests know."""

from django_tpq.backend import PostgreSQLBackend as DatabaseBackend

__all__ = ["DatabaseBackend"]
