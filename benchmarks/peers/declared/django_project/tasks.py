"""The tasks of every backend of `django.tasks`."""

from django.tasks import task

from benchmarks.peers.peer import note

__all__ = ["answer", "nothing"]


@task
def nothing(number: int) -> None:
    """Note the start."""
    note(number)


@task
def answer(number: int) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
