"""Calls that wait for a word, and the wait until they run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.failures.accidents import tasks


class Waiters:
    """Calls that run until they are let go."""

    def __init__(self, room: Path, eventually: Callable[..., None]) -> None:
        self.notes, self._go = room / "notes", room / "go"
        self._eventually = eventually
        self.notes.touch()

    def call(self, number: int) -> list[Any]:
        """Make so many calls."""
        return tasks.wait_for.delay_many([(str(self.notes), str(self._go))] * number)

    def begun(self, word: str = "waits") -> int:
        """How many runs have begun, of those that write this word."""
        return self.notes.read_text().count(word)

    def have_begun(self, number: int, within: float = 20, word: str = "waits") -> None:
        """Wait until so many runs have begun."""

        def begun() -> None:
            assert self.begun(word) == number

        self._eventually(begun, within)

    def let_go(self) -> None:
        """Let them all return."""
        self._go.touch()


@pytest.fixture
def waiters(tmp_path: Path, eventually: Callable[..., None]) -> Waiters:
    """Calls of this test."""
    return Waiters(tmp_path, eventually)
