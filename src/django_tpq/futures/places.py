"""Where calls run in a process, and how many at once."""

import os
from typing import NamedTuple

from django_tpq.futures.calls import Claimed
from django_tpq.futures.errors import UnknownTask
from django_tpq.futures.options import LANES
from django_tpq.futures.registry import find

__all__ = ["Places", "lane_of"]


class Places(NamedTuple):
    """How many calls run at once in one process of an executor."""

    threads: int = 8
    workers: int = os.cpu_count() or 1
    """Worker processes, for tasks with `executor="process"`."""
    coroutines: int = 1000
    """Calls in the event loop."""

    @property
    def slots(self) -> int:
        """All of them."""
        return sum(self)


def lane_of(call: Claimed) -> int:
    """The lane that a call runs in: as its headers say, or its task. What is unknown here only needs a thread."""
    told = call.headers.get("executor") if isinstance(call.headers, dict) else None
    if isinstance(told, str) and told in LANES:
        return LANES[told]
    try:
        return find(call.task).options.lane
    except UnknownTask:
        return 0
