"""A module that a test loads twice."""

from django_tpq.futures import task


@task
def once() -> int:
    return 1
