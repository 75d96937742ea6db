"""Fixtures for pytest, beside those of pytest-django. They are there without being asked for (an entry point).

Nothing of the project is imported before a fixture is used: the plugin is loaded wherever the package is installed.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from django_tpq.testing import Clock, Kit, RunningExecutor

__all__ = ["tpq", "tpq_clock", "tpq_executor", "tpq_inline"]


@pytest.fixture
def tpq(db: Any) -> "Kit":
    """Run what waits, see what was enqueued: `run_pending`, `assert_enqueued` and all else of `django_tpq.testing`."""
    from django_tpq.testing import Kit  # noqa: PLC0415 - see above

    return Kit()


@pytest.fixture
def tpq_inline(db: Any) -> Iterator[None]:
    """Each call of the test runs at once, where it is made."""
    from django_tpq.testing import inline  # noqa: PLC0415 - see above

    with inline():
        yield


@pytest.fixture
def tpq_clock(db: Any) -> "Iterator[Clock]":
    """A clock to move: `tpq_clock.advance(hours=1)`."""
    from django_tpq.testing import clock  # noqa: PLC0415 - see above

    with clock() as moved:
        yield moved


@pytest.fixture
def tpq_executor(transactional_db: Any) -> "Iterator[Callable[..., RunningExecutor]]":
    """Start executors as processes of their own, on the test's database; none is left at the end."""
    from django_tpq.testing import executor  # noqa: PLC0415 - see above

    with ExitStack() as stack:
        yield lambda *options: stack.enter_context(executor(*options))
