"""The queue's errors as Django developers catch them."""

from django.core.exceptions import ObjectDoesNotExist

import tpq

__all__ = ["LeaseLost", "QueueEmpty", "UnknownQueue"]

LeaseLost = tpq.LeaseLost
UnknownQueue = tpq.UnknownQueue


class QueueEmpty(tpq.QueueEmpty, ObjectDoesNotExist):
    """The queue has no message that could be taken now."""
