"""What is done with messages that are not in the line: cancelled, revived, thrown away; and the bell of their queue."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from tpq.entrance import Entrance
from tpq.filters import NO_FILTERS, Filters, shape, wanted
from tpq.statements import compose

__all__ = ["Upkeep"]


class Upkeep(Entrance):
    """A queue's table on a connection, for who needs no message of it."""

    # Cancelled and dead -----------------------------------------------------------------------------------

    def cancel(
        self,
        number: int,
        error: str,
        keep: timedelta | None = None,
        type: str | None = None,  # noqa: A002 - as everywhere
        filters: Filters = NO_FILTERS,
        *,
        running: bool = True,
    ) -> str | None:
        """Cancel a message: one that waits ends dead, one that runs is marked. Its state then; None: it has ended.

        Args:
            running: also one that runs. Until the transaction ends, whoever runs it can not settle it, nor what it
                settles with it.
        """
        values = {"id": number, "error": error, "keep": keep, "type": type, "running": running}
        rows = self._rows(compose("cancel", self.name, filters=shape(filters)), values | wanted(filters))
        return str(rows[0][0]) if rows else None

    def cancelled(self, ids: Sequence[int]) -> set[int]:
        """Which of these messages that run are marked as cancelled."""
        return {row[0] for row in self._rows(compose("cancelled", self.name), {"ids": list(ids)})}

    def requeue(self, ids: Sequence[int], delay: timedelta | None = None) -> set[int]:
        """Revive dead letters, at once or after a delay; the ids of those that moved."""
        values = {"ids": list(ids), "delay": delay}
        return {row[0] for row in self._rows(compose("requeue", self.name), values)}

    def discard(self, ids: Sequence[int]) -> set[int]:
        """Delete dead letters; the ids of those that were some."""
        return {row[0] for row in self._rows(compose("discard", self.name), {"ids": list(ids)})}

    def purge(self, count: int = 1000) -> int:
        """Delete dead letters that were kept long enough; how many."""
        return len(self._rows(compose("purge", self.name), {"count": count}))

    # The bell ---------------------------------------------------------------------------------------------

    def channel(self) -> str:
        """The name of the queue's bell."""
        return str(self._value("channel"))

    def ask(self, seconds: float) -> bool | None:
        """Ask to be woken for a while. False: what was added until now may not have rung; None: it can not be asked."""
        answer = self._value("ask", {"ms": int(seconds * 1000)})
        return None if answer is None else bool(answer)

    def is_crowded(self) -> bool:
        """Whether somebody's commit waits for another's ring."""
        return bool(self._value("crowded"))

    def ring(self, why: str = "") -> None:
        """Wake whoever listens to this queue."""
        self._value("ring", {"table": self.quoted, "why": why})

    def ring_if_asked(self) -> None:
        """Wake whoever has asked for it: long after messages were added, their transaction was committed."""
        self._rows(compose("ring_if_asked", self.name), {})

    @property
    def quoted(self) -> str:
        """The table's name as PostgreSQL reads names."""
        return '"' + self.name.replace('"', '""') + '"'

    # ------------------------------------------------------------------------------------------------------

    def _value(self, name: str, values: Mapping[str, Any] = NO_FILTERS, filters: Filters = NO_FILTERS) -> Any:
        statement = compose(name, self.name, filters=shape(filters))
        return self._rows(statement, {**values, **wanted(filters)})[0][0]
