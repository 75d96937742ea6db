"""Durations as users give them."""

from datetime import timedelta

__all__ = ["Duration", "optional", "positive", "seconds"]

Duration = timedelta | float
"""A timedelta, or seconds."""


def seconds(value: Duration) -> timedelta:
    """A duration as a timedelta.

    Raises:
        TypeError, ValueError: it is none, or longer than a timedelta can be.
    """
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"a duration is seconds or a timedelta, not {value!r}")
    try:
        return timedelta(seconds=value)
    except (ValueError, OverflowError):
        raise ValueError(f"{value!r} seconds is no duration") from None


def positive(value: Duration) -> timedelta:
    """As `seconds`, and longer than nothing."""
    if (duration := seconds(value)) <= timedelta(0):
        raise ValueError(f"a lease lasts longer than {value!r}")
    return duration


def optional(value: Duration | None) -> timedelta | None:
    """A delay that may be missing; None also for one that is over already."""
    return None if value is None or seconds(value) <= timedelta(0) else seconds(value)
