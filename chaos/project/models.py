"""The queues that are put under load, and what their messages leave behind."""

from django.db import models

from django_tpq.main.models import BaseQueue


class Taken(BaseQueue):
    """Messages for `dequeue`, in a transaction."""


class Received(BaseQueue):
    """Messages for `receive` in a transaction."""


class Leased(BaseQueue):
    """Messages for `receive(lease=…)`."""


class Ordered(BaseQueue):
    """Messages of one producer for one consumer."""


class Effect(models.Model):
    """What a message's transaction leaves behind. Not unique on purpose: the checker is to see it twice."""

    queue = models.CharField(max_length=16)
    number = models.BigIntegerField()
