"""Exceptions that are hard to carry, and a task that raises whatever it is told."""

from collections.abc import Callable
from typing import Any

from django_tpq.futures import task

END: tuple[type[BaseException], ...] = (OSError, SystemExit, KeyboardInterrupt)


class BadText(Exception):
    """Has no text."""

    def __init__(self, error: type[BaseException]) -> None:
        super().__init__(error)

    def __str__(self) -> str:
        raise self.args[0]("no text")

    __repr__ = __str__


class BadReduce(Exception):
    """Can not be pickled."""

    def __reduce__(self) -> Any:
        raise self.args[0]("no reduce")


class BadInit(Exception):
    """Can not be read back."""

    def __init__(self, error: type[BaseException], is_first: bool = False) -> None:
        super().__init__(error)
        if not is_first:
            raise error("no init")


class BadEquality(Exception):
    """Can not be compared."""

    def __eq__(self, other: object) -> bool:
        raise OSError("no equality")

    __hash__ = None  # type: ignore[assignment]


class BadNotes(Exception):
    """Takes no notes."""

    def add_note(self, note: str) -> None:
        raise OSError("no notes")


class Changeling(Exception):
    """Is read back as something else."""

    def __reduce__(self) -> Any:
        return ValueError, ("changed",)


class Unwritable:
    """A value that can not be pickled."""

    def __init__(self, error: type[BaseException]) -> None:
        self.error = error

    def __reduce__(self) -> Any:
        raise self.error("not to be written")


made: list[Callable[[], BaseException]] = []


@task
def fail_as_told() -> None:
    """Raise what the test has made: it runs in the test's own process."""
    raise made.pop()()


@task
def return_unwritable(kind: str) -> Any:
    """Return what can not be pickled."""
    return {error.__name__: Unwritable(error) for error in END}[kind]


@task(codec="json")
def fail_in_json(text: str) -> None:
    """Raise where exceptions can not be written."""
    raise ValueError(text)


@task(codec="json")
def return_a_set() -> Any:
    """Return what is no JSON."""
    return {1, 2}


@task
def recurse() -> None:
    """Never end by itself."""
    recurse()


@task
async def fail_async() -> None:
    """Raise in a coroutine."""
    raise ValueError("async")
