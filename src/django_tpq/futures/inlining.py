"""Where calls that run at once (TPQ_INLINE) are handed over. What runs them stands above, and reports here."""

from collections.abc import Callable, Sequence

from django_tpq.futures.calls import CallId

__all__ = ["at_once", "run_by"]

Run = Callable[[Sequence[CallId]], None]

_runs: list[Run] = []


def run_by(run: Run) -> None:
    """Let this function run them."""
    _runs[:] = [run]


def at_once(calls: Sequence[CallId]) -> None:
    """Run calls that were just made."""
    for run in _runs:
        run(calls)
