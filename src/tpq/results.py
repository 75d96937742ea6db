"""The table of results, on a cursor like a queue's. A result is bytes under the token of its call."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, NamedTuple

from tpq.arrays import binaries, texts
from tpq.statements import compose

__all__ = ["CHANNEL", "PREFIX", "Result", "ResultTable", "ring"]

CHANNEL = "tpq_results"
"""The bell of results. Its payload is the first `PREFIX` characters of each token, one after the other."""
PREFIX = 6
"""Enough to tell a process's own calls from others; a chance match costs one look in vain."""
PREFIXES_A_RING = 1000
"""A notification holds 8,000 bytes."""

Cursor = Callable[[], AbstractContextManager[Any]]


class Result(NamedTuple):
    """What one call ended with."""

    token: str
    record: bytes
    ttl: timedelta


class ResultTable:
    """The table on a connection."""

    def __init__(self, name: str, cursor: Cursor) -> None:
        self.name = name
        self._cursor = cursor

    def put(self, results: Sequence[Result]) -> None:
        """Keep results; of several of one token (somebody has copied a row) the last."""
        self._keep("results/put", results)

    def add(self, results: Sequence[Result]) -> None:
        """As `put`, of calls that have none yet, as a rule: that is quicker.

        Raises:
            psycopg.errors.UniqueViolation: one of many is there already. One alone takes the other's place.
        """
        self._keep("results/put" if len(results) == 1 else "results/add", results)

    def _keep(self, name: str, results: Sequence[Result]) -> None:
        by_ttl: dict[timedelta, list[Result]] = {}
        for result in {result.token: result for result in results}.values():
            by_ttl.setdefault(result.ttl, []).append(result)
        with self._cursor() as cursor:
            for ttl, alike in by_ttl.items():
                tokens, records = texts([r.token for r in alike]), binaries([r.record for r in alike])
                values = {"tokens": tokens, "records": records, "ttl": ttl}
                cursor.execute(compose(name, self.name), values)

    def get(self, tokens: Sequence[str]) -> dict[str, bytes]:
        """The results that are there, by token."""
        with self._cursor() as cursor:
            cursor.execute(compose("results/get", self.name), {"tokens": list(tokens)})
            return {token: bytes(record) for token, record in cursor.fetchall()}

    def forget(self, tokens: Sequence[str]) -> None:
        """Delete the results of some calls."""
        with self._cursor() as cursor:
            cursor.execute(compose("results/forget", self.name), {"tokens": list(tokens)})

    def purge(self, count: int = 1000) -> int:
        """Delete expired results; how many."""
        with self._cursor() as cursor:
            cursor.execute(compose("results/purge", self.name), {"count": count})
            return int(cursor.fetchone()[0])


def ring(cursor: Cursor, tokens: Sequence[str]) -> None:
    """Wake those who wait for the results of these calls."""
    with cursor() as c:
        for start in range(0, len(tokens), PREFIXES_A_RING):
            prefixes = "".join(token[:PREFIX] for token in tokens[start : start + PREFIXES_A_RING])
            c.execute(compose("results/ring", ""), {"prefixes": prefixes})
