"""The tasks of Django Q2: plain functions."""

from benchmarks.peers.peer import note


def nothing(number: int) -> None:
    """Note the start."""
    note(number)


def answer(number: int) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
