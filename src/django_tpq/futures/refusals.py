"""Calls whose signature is wrong: are they forged, or is it our key that is wrong? Then none of them may be buried."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from django_tpq.futures.delivery import Ended, Table
from django_tpq.futures.outcomes import Refused
from django_tpq.futures.runner import Runner

__all__ = ["Refusals"]

logger = logging.getLogger("django_tpq.executor")

WRONG_KEY = 20
"""Wrong signatures in a row, with never a right one, that show that it is the key that is wrong."""


class Refusals:
    """What one process holds back of them.

    Args:
        runner: knows whether any signature was right.
        tables: the queues' tables on a connection, by name.
        stop_claiming: called with the reason when it is the key.
    """

    def __init__(
        self,
        runner: Runner,
        tables: Callable[[psycopg.Connection[Any]], Mapping[str, Table]],
        stop_claiming: Callable[[str], None],
    ) -> None:
        self._runner, self._tables, self._stop_claiming = runner, tables, stop_claiming
        self._held: list[Ended] = []
        self._in_a_row = 0

    def without_wrong_keys(self, ended: list[Ended], connection: psycopg.Connection[Any]) -> list[Ended]:
        """While no signature was ever right, hold back what would be buried: the key may be wrong, not they."""
        if self._runner.has_verified:
            return self.take(connection) + ended
        refused = [e for e in ended if isinstance(e.outcome, Refused)]
        self._held += refused
        self._in_a_row += len(refused)
        if self._in_a_row >= WRONG_KEY and self._held:
            self._it_is_the_key(connection)
        return [e for e in ended if not isinstance(e.outcome, Refused)]

    def take(self, connection: psycopg.Connection[Any]) -> list[Ended]:
        """What is held back, to be buried: the queue is empty and they were few, so it was they."""
        held, self._held = self._held, []
        by_name = self._tables(connection) if held else {}
        return [e._replace(table=by_name[e.call.queue]) for e in held]

    def let_go(self, connection: psycopg.Connection[Any]) -> None:
        """We end before it is known whether it was they or the key: leave them to others."""
        for e in self.take(connection):
            e.table.release([e.receipt])

    def _it_is_the_key(self, connection: psycopg.Connection[Any]) -> None:
        reason = (
            f"no signature of the first {self._in_a_row} calls was right: SECRET_KEY differs from the "
            "producers'; claiming has stopped"
        )
        logger.critical(
            "%s. Give both the same key (or SECRET_KEY_FALLBACKS) and start the executor anew", reason
        )
        self._stop_claiming(reason)
        self.let_go(connection)
