"""The tasks of django-tasks-db."""

from django.tasks import task

from benchmarks.peers.peer import note


@task
def nothing(number: int) -> None:
    """Note the start."""
    note(number)


@task
def answer(number: int) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
