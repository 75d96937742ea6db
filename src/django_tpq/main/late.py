"""Rings after late commits.

Who adds a message rings for those who have asked to be woken by then. When the transaction is committed long after,
others may have gone to sleep meanwhile: then it rings once more, if anybody has asked.
"""

import functools
import logging
import time
import weakref
from typing import Any

from django.db import Error, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from tpq.table import QueueTable

__all__ = ["ring_after_commit"]

logger = logging.getLogger("django_tpq.late")

LATE = 0.05
"""Seconds after which a commit is late: who goes to sleep goes on looking for longer (`tpq.waiting.SETTLING`)."""

_rung: "weakref.WeakKeyDictionary[BaseDatabaseWrapper, dict[str, float]]" = weakref.WeakKeyDictionary()


def ring_after_commit(wrapper: BaseDatabaseWrapper, table: QueueTable[Any]) -> None:
    """A message is added in a transaction of Django's: ring when that is committed, if it is late."""
    ring = functools.partial(_committed, wrapper, table, time.monotonic())
    transaction.on_commit(ring, using=wrapper.alias, robust=True)


def _committed(wrapper: BaseDatabaseWrapper, table: QueueTable[Any], added_at: float) -> None:
    rung, now = _rung.setdefault(wrapper, {}), time.monotonic()
    if now < added_at + LATE or rung.get(table.name, 0.0) > added_at:
        return  # it is not late, or another message of this transaction has rung
    rung[table.name] = now
    try:
        table.ring_if_asked()
    except Error as error:  # a ring is only a hint
        logger.info("the bell of %s was not rung after a late commit: %s", table.name, error)
