"""The queue that is measured."""

from django_tpq.main.models import BaseQueue


class BenchQueue(BaseQueue):
    """Nothing of its own."""
