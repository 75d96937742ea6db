"""What the claim loop asks of whoever knows what a message means."""

from collections.abc import Sequence
from typing import Any, Protocol, TypeVar

import psycopg

from tpq.buffer import Claimed
from tpq.table import QueueTable

__all__ = ["Handler"]

M = TypeVar("M", bound=Claimed)


class Handler(Protocol[M]):
    """What is done with messages. Nothing here may raise, but for database errors of `settle` and `tick`."""

    def name(self, message: M) -> bytes:
        """What the board calls it."""

    def run_one(self, message: M) -> Any:
        """Run it, in one of the threads; what came out, never None."""

    def settle(
        self,
        connection: psycopg.Connection[Any],
        ended: Sequence[tuple[QueueTable[M], M, Any]],
        *,
        again: bool,
    ) -> None:
        """Apply what came out of many, in the loop's thread; `again`: an earlier try may have been committed."""

    def tick(self, connection: psycopg.Connection[Any], *, idle: bool) -> float:
        """Called in each turn of the loop, for what has to be done now and then; the moment (monotonic) of the next."""
