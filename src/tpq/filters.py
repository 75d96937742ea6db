"""Which rows: columns and the values that they must have."""

from collections.abc import Mapping
from typing import Any

__all__ = ["NO_FILTERS", "Filters", "shape", "wanted"]

Filters = Mapping[str, Any]
"""Columns and the values they must have; None means NULL."""

NO_FILTERS: Filters = {}


def shape(filters: Filters) -> tuple[tuple[str, bool], ...]:
    """The columns, each with whether its value is NULL: what a statement is made of."""
    return tuple((column, value is None) for column, value in filters.items())


def wanted(filters: Filters) -> dict[str, Any]:
    """The values, by the names that a statement has for them."""
    return {f"where_{column}": value for column, value in filters.items() if value is not None}
