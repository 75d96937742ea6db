"""How often something can be done a second."""

import time
from collections.abc import Callable

__all__ = ["SECONDS", "drained", "rate"]

SECONDS = 2.0


def rate(step: Callable[[], object], size: int) -> float:
    """Rows a second, `size` in each step, for a while."""
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        step()
        count += size
    return count / (time.perf_counter() - started)


def drained(step: Callable[[], int], rows: int) -> float:
    """Rows a second, until so many were taken; each step says how many it took."""
    started, count = time.perf_counter(), 0
    while count < rows and (taken := step()):
        count += taken
    return count / (time.perf_counter() - started)
