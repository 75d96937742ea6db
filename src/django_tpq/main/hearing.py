"""How word of new messages comes to this process: by LISTEN, or by looking again and again. Tried, not guessed."""

from typing import NamedTuple

import psycopg

from django_tpq.conf import settings
from django_tpq.main.connections import bell_works, connect
from tpq.pooling import is_direct

__all__ = ["Hearing", "hearing"]


class Hearing(NamedTuple):
    """What was found."""

    is_pooled: bool
    """Whether a pooler stands between us and the queue's database."""
    hears: bool
    """Whether a LISTEN hears."""
    trouble: str = ""
    """Why the place that TPQ_LISTEN names can not be reached; empty: it can."""

    @property
    def text(self) -> str:
        """In words."""
        if self.hears:
            return "LISTEN"
        if self.trouble:
            return f"polling: where TPQ_LISTEN leads to nobody answers ({self.trouble})"
        if settings.LISTEN is None:
            return "polling, as TPQ_LISTEN says"
        return "polling: a pooler hands sessions around, so LISTEN hears nothing; TPQ_LISTEN may name a direct way"


def hearing(alias: str) -> Hearing:
    """Try it, from here and now.

    Raises:
        psycopg.Error: the queue's database does not answer.
    """
    with connect(alias) as connection:
        is_pooled = not is_direct(connection)
    try:
        return Hearing(is_pooled, bell_works(alias))
    except psycopg.Error as error:
        return Hearing(is_pooled, hears=False, trouble=" ".join(str(error).split()))
