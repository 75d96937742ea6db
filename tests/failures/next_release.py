"""What the next release has more than this one."""

from django_tpq.futures import task


@task
def new(number: int) -> int:
    """A task that only its executors know."""
    return number + 1
