"""A progress bar while one waits: how many calls have ended, or how far one says that it has come. tqdm draws it."""

import contextlib
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

from django.db import DatabaseError, connections

from django_tpq.futures.completion import Completions
from django_tpq.futures.future import Future
from django_tpq.futures.seen import Seen

__all__ = ["INSTALL", "track"]

R = TypeVar("R")

INSTALL = "progress bars are drawn by tqdm, which is not installed: pip install 'django-tpq[progress]'"
PAUSE = 0.5
"""Seconds between looks at what a call says: it is not written more often."""
PATIENCE = 1.0
"""Seconds that the last look may take to end."""


class _Counted(Completions[R]):
    """Many, and a bar that counts those that have ended."""

    def __init__(self, futures: Iterable[Future[R]], wait: float, bar: dict[str, Any]) -> None:
        super().__init__(futures, wait)
        self._bar = {"total": len(self), "unit": "call", "disable": None} | bar

    def __iter__(self) -> Iterator[Future[R]]:
        with self._drawn() as bar:
            failed = 0
            for future in super().__iter__():
                failed += _has_failed(future)
                self._draw(bar, failed)
                yield future

    async def __aiter__(self) -> AsyncIterator[Future[R]]:
        with self._drawn() as bar:
            failed = 0
            async for future in super().__aiter__():
                failed += _has_failed(future)
                self._draw(bar, failed)
                yield future

    @contextlib.contextmanager
    def _drawn(self) -> Iterator[Any]:
        with _tqdm()(**self._bar) as bar:
            yield bar

    def _draw(self, bar: Any, failed: int) -> None:
        """One more has ended."""
        if failed:
            bar.set_postfix(failed=failed, refresh=False)
        bar.update()


class _Followed(_Counted[R]):
    """A single one, and a bar that shows what it says of itself."""

    def __init__(self, future: Future[R], wait: float, bar: dict[str, Any]) -> None:
        super().__init__([future], wait, {"total": None, "unit": "it"} | bar)
        self._future = future

    @contextlib.contextmanager
    def _drawn(self) -> Iterator[Any]:
        is_over = threading.Event()
        with super()._drawn() as bar:
            if bar.disable:
                yield bar
                return
            thread = threading.Thread(
                target=_follow, args=(self._future, bar, is_over), name="tpq-track", daemon=True
            )
            thread.start()
            try:
                yield bar
            finally:
                is_over.set()
                thread.join(PATIENCE)

    def _draw(self, bar: Any, failed: int) -> None:
        if failed:
            bar.set_postfix(failed=failed, refresh=False)
        else:
            bar.n = bar.total or bar.n or 1
        bar.refresh()


def track(
    futures: Iterable[Future[R]] | Future[R], wait: float = 0, *, desc: str | None = None, **bar: Any
) -> Completions[R]:
    """Futures as they end, for `for` and `async for`, with a progress bar on stderr, or in a notebook.

    It counts those that have ended, and those of them that failed. Of a single future, not in a list, it shows what the
    call says by `current_call().progress(…)`.

    Args:
        wait: 0: for ever; else at most so many seconds for all of them.
        desc: what stands before the bar.
        bar: what else tqdm takes, such as `leave=False`. Where stderr is no terminal nothing is drawn, unless with
            `disable=False`.

    Raises:
        ModuleNotFoundError: tqdm is not installed.
        ResultTimeout, NotCommitted, CallRolledBack: as `as_completed`. Raised by the loop.
    """
    _tqdm()
    options = {"desc": desc} | bar
    return (
        _Followed(futures, wait, options) if isinstance(futures, Future) else _Counted(futures, wait, options)
    )


def _follow(future: Future[Any], bar: Any, is_over: threading.Event) -> None:
    """Draw what a call says, until it is over. For a thread, whose connection is its own."""
    try:
        while not is_over.wait(PAUSE):
            try:
                seen = future.progress()
            except DatabaseError:  # who waits outlives its absence, and so does the bar
                connections.close_all()
            else:
                _show(bar, seen, is_over)
    finally:
        connections.close_all()


def _show(bar: Any, seen: Seen | None, is_over: threading.Event) -> None:
    if seen is None or is_over.is_set():
        return
    if seen.total != bar.total:
        bar.reset(_shortest(seen.total))  # a notebook's bar takes a total in no other way
        bar.total = _shortest(seen.total)
    bar.n = _shortest(seen.done)
    bar.set_postfix_str(seen.text, refresh=False)
    bar.refresh()


def _shortest(number: float | None) -> float | None:
    """7 rather than 7.0."""
    return int(number) if number is not None and number.is_integer() else number


def _has_failed(future: Future[Any]) -> bool:
    try:
        return future._arrival is None or future.exception() is not None
    except Exception:  # noqa: BLE001 - it can not be read: `result()` says why to who asks for it
        return True


def _tqdm() -> Any:
    """What draws bars.

    Raises:
        ModuleNotFoundError: tqdm is not installed.
    """
    try:
        from tqdm.auto import tqdm  # noqa: PLC0415 - an extra
    except ImportError:
        raise ModuleNotFoundError(INSTALL) from None
    return tqdm
