"""A message queue and futures for Django on the PostgreSQL it already has."""

__version__ = "0.1.0"
