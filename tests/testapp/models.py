"""Queues of the tests' own app."""

import uuid
from typing import Any

from django.db import models

from django_tpq.futures.models import BaseCallQueue
from django_tpq.main.models import BaseQueue


class PlainQueue(BaseQueue):
    """Nothing of its own."""


class TenantQueue(BaseQueue):
    """Columns of its own: required, with a Python default, with a database default, nullable."""

    tenant = models.CharField(max_length=50)
    ticket: Any = models.UUIDField(default=uuid.uuid4)
    weight = models.IntegerField(db_default=7)
    note: Any = models.JSONField(null=True)


class MailQueue(BaseCallQueue):
    """A second queue of calls, with a column of its own."""

    envelope: Any = models.UUIDField(default=uuid.uuid4)
