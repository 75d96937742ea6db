"""Calls by hand, as in the tests of futures."""

from tests.futures.conftest import by_hand

__all__ = ["by_hand"]
