"""One who makes a call and waits for its result, again and again."""

import itertools
import random
import sys
import time
from typing import Any

from chaos.actors.life import AWAY, forget_connection, ledger, live, may_be_committed
from chaos.actors.producer import ROOM
from chaos.ledger import Kind
from chaos.project import features, tasks
from django_tpq.futures import Future
from django_tpq.futures.errors import ResultTimeout, TaskError

__all__ = ["ask"]

PATIENCE = 90.0
"""Seconds until a result that does not come is missing."""

ASKED: list[tuple[str, Any]] = [
    ("work", tasks.work),
    ("work", features.naps),
    ("work", features.works_apart),
    ("atomic", features.writes),
]
"""What is asked for: its kind, and its task."""


def ask(index: int, seed: str) -> None:
    """Ask on and on."""
    numbers, chance = itertools.count(index * ROOM + 1), random.Random(f"{seed}/{index}")

    def turn() -> None:
        number = next(numbers)
        kind, how = chance.choices(ASKED, [4, 1, 1, 1])[0]
        ledger.note(Kind.ASKED, number, {"kind": kind})
        try:
            future = how.delay(number, chance.uniform(0, 0.05))
        except AWAY as error:
            if not may_be_committed(error):
                ledger.note(Kind.ROLLED_BACK, number)
            raise
        ledger.note(Kind.ACKNOWLEDGED, number)
        _wait_for(future, number)

    live(turn, lambda: chance.uniform(0, 0.05))


def _wait_for(future: "Future[str]", number: int) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            return ledger.note(Kind.RESULT, number, future.result(wait=5))
        except ResultTimeout:
            pass
        except TaskError as error:
            return ledger.note(Kind.NO_RESULT, number, f"{type(error).__name__}: {error}")
        except AWAY as error:
            print(type(error).__name__, " ".join(str(error).split()), file=sys.stderr, flush=True)
            forget_connection()
            time.sleep(0.2)
    return ledger.note(Kind.NO_RESULT, number, f"nothing within {PATIENCE:.0f} s")
