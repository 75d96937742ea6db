"""The queue of files."""

from django_tpq.main.models import BaseQueue


class FileQueue(BaseQueue):
    """A message names one file: {"path": …}."""
