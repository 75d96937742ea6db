"""How tasks note their runs in the ledger."""

import os
import uuid

from chaos.ledger import Kind, Ledger

__all__ = ["Run", "ledger"]

ledger = Ledger(os.environ.get("CHAOS_LEDGER", "."))


class Run:
    """A run in the ledger, for a block; an exception is an end, too.

    Args:
        attempt: which of its call's, where that has several: the end of the run's name.
    """

    def __init__(self, number: int, attempt: int | None = None) -> None:
        self.number, self.name = number, uuid.uuid4().hex + (f"#{attempt}" if attempt else "")

    def __enter__(self) -> str:
        ledger.note(Kind.STARTED, self.number, self.name)
        return self.name

    def __exit__(self, *_: object) -> None:
        ledger.note(Kind.ENDED, self.number, self.name)
