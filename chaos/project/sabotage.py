"""The product, spoilt on purpose: what has to make the checker speak. CHAOS_SABOTAGE names how."""

import os
import time
from collections.abc import Callable
from typing import Any

from django.db import transaction

from tpq import statements

__all__ = ["ACKNOWLEDGED_LATER", "SPOILT", "spoil"]

ACKNOWLEDGED_LATER = "the ack of an atomic call comes after its transaction"

SPOILT: dict[str, tuple[str, str, str]] = {
    "what a dead process held is deleted": (
        "reclaim",
        "",
        (
            "DELETE FROM {table} WHERE claimed_by = ANY(%(consumers)s::bigint[]) "
            "AND coalesce(cardinality(%(begun)s::bigint[]), 0) >= 0 RETURNING id, 'ready' AS state, {returning}"
        ),
    ),
    "each message is put in twice": ("put", "VALUES ({values})", "VALUES ({values}), ({values})"),
}
"""By what is done: the statement, what stands there (nothing: all of it), and what instead."""


def spoil() -> None:
    """Do it, if it is asked for."""
    how = os.environ.get("CHAOS_SABOTAGE")
    if how == ACKNOWLEDGED_LATER:
        _acknowledge_later()
    elif how:
        _spoil_a_statement(*SPOILT[how])


def _spoil_a_statement(name: str, good: str, bad: str) -> None:
    read = statements._read

    def spoilt(wanted: str) -> str:
        if wanted != name:
            return read(wanted)
        assert good in read(name), f"sql/{name}.sql has changed: {good!r} is not in it"
        return read(name).replace(good, bad) if good else bad

    statements._read = spoilt  # type: ignore[assignment]


def _acknowledge_later() -> None:
    from django_tpq.futures.atomically import Atomic

    def run_and_leave(self: Atomic, call: Any, options: Any, run: Callable[[Any], Any], of_error: Any) -> Any:
        with transaction.atomic():
            outcome = run(of_error)
        time.sleep(0.1)  # a kill finds the time between commit and ack
        return outcome

    Atomic.__call__ = run_and_leave  # type: ignore[method-assign]
