"""A producer at full speed, which waits only while the executors are far behind."""

import itertools
import time

from django.db import connection

from chaos.actors.life import ledger, live
from chaos.actors.producer import ROOM
from chaos.ledger import Kind
from chaos.project import tasks

__all__ = ["flood"]

SAMPLE = 50
"""One of so many calls is noted."""
LOOK = 200
"""Calls between looks at the backlog."""
BEHIND = 2000
"""Waiting calls at which to stop for a moment."""


def flood(index: int) -> None:
    """Call on and on."""
    numbers = itertools.count(index * ROOM + 1)

    def turn() -> None:
        number = next(numbers)
        if number % SAMPLE:
            tasks.nothing.delay()
        else:
            ledger.note(Kind.ASKED, number, {"kind": "work"})
            tasks.work.delay(number)
            ledger.note(Kind.ACKNOWLEDGED, number)
        if not number % LOOK:
            while _backlog() >= BEHIND:
                time.sleep(0.01)

    live(turn)


def _backlog() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM (SELECT FROM tpq_call WHERE state = 'ready' LIMIT %s) AS some", [BEHIND]
        )
        return int(cursor.fetchone()[0])
