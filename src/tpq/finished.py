"""Calls that have ended well and are kept: their rows move to a table with a partition a day."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

from tpq.arrays import binaries, numbers
from tpq.statements import compose

__all__ = ["TABLE", "create_statement", "drop_statement", "finish", "tend"]

TABLE = "tpq_finished"

Cursor = Callable[[], AbstractContextManager[Any]]


def create_statement() -> str:
    """What makes the table and what tends it."""
    return compose("finished/create", TABLE)


def drop_statement() -> str:
    """What undoes it."""
    return compose("finished/drop", TABLE)


def finish(
    table: str, queue: str, receipts: Sequence[tuple[int, int]], records: Sequence[bytes], cursor: Cursor
) -> set[int]:
    """Move claimed calls with their results; the ids whose receipt held.

    Args:
        table: the queue's table.
        queue: its name.
        records: the results, in the order of the receipts.
    """
    groups: dict[int, list[tuple[int, bytes]]] = {}
    for (number, claim_no), record in zip(receipts, records, strict=True):
        groups.setdefault(claim_no, []).append((number, record))
    held: set[int] = set()
    with cursor() as c:
        for claim_no, group in groups.items():
            values = {"ids": numbers([n for n, _ in group]), "records": binaries([r for _, r in group])}
            c.execute(compose("finished/put", table), {**values, "claim_no": claim_no, "queue": queue})
            held.update(row[0] for row in c.fetchall())
    return held


def tend(keep: timedelta, cursor: Cursor) -> int:
    """Make the partitions that will be needed, and drop those older than `keep`; how many have come or gone."""
    with cursor() as c:
        c.execute(compose("finished/tend", TABLE), {"keep": keep})
        return int(c.fetchone()[0])
