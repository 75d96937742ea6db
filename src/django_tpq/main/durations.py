"""Durations as users give them."""

from datetime import timedelta

__all__ = ["Duration", "seconds"]

Duration = timedelta | float
"""A timedelta, or seconds."""


def seconds(value: Duration) -> timedelta:
    """A duration as a timedelta."""
    return value if isinstance(value, timedelta) else timedelta(seconds=value)
