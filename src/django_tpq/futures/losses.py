"""Calls whose executors died under them for the last time: their futures hear of it, and they are counted."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.db import close_old_connections

from django_tpq.futures.calls import Claimed
from django_tpq.futures.delivery import time_to_live
from django_tpq.futures.endings import lost_record
from django_tpq.futures.results import store
from tpq.heartbeat import Moved
from tpq.results import Result, ring
from tpq.tally import Tally

__all__ = ["deliver_losses"]

logger = logging.getLogger("django_tpq.executor")


def deliver_losses(
    connection: psycopg.Connection[Any],
    moved: Sequence[Moved[Claimed]],
    tidy: Callable[[], None] = close_old_connections,
) -> None:
    """Report what was taken back; for the dead letters among it, store the loss as the result.

    Args:
        tidy: called before the store is: a cache in a database may have been restarted, and have an old connection.
    """
    dead = [each.row for each in moved if each.state == "dead"]
    logger.warning("%s calls of lost processes were taken back, %s of them given up", len(moved), len(dead))
    if not dead:
        return
    tally = Tally("tpq_tally")
    for call in dead:
        logger.error(
            "call %s of %s is dead: its executor died %s times", call.call, call.task, call.deliveries
        )
        tally.add(call.task, time.monotonic(), failed=True)
    tally.flush(connection)
    results = [Result(call.token, lost_record(call), time_to_live(call)) for call in dead]
    try:
        tidy()
        store().put(results, connection.cursor)
    except Exception as error:  # noqa: BLE001 - any cache may fail in its own way; futures read the dead row then
        logger.warning("a loss could not be stored as a result: %s", error)
    ring(connection.cursor, [result.token for result in results])
