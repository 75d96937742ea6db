"""What the options of commands take: text in, values out, or an error that says what is wanted."""

import argparse
import re
from collections.abc import Callable

__all__ = ["files", "positive", "seconds", "size", "up_to"]

UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
SMALLEST = 32 * 2**20
"""Bytes: what every process takes."""


def positive(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1, not {text!r}")
    return int(text)


def up_to(most: int) -> Callable[[str], int]:
    """A whole number from 1 to another."""

    def whole(text: str) -> int:
        value = positive(text)
        if value > most:
            raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {most}, not {text!r}")
        return value

    return whole


def seconds(text: str, most: float = 1e6) -> float:
    """Seconds, fewer than so many."""
    try:
        value = float(text)
    except ValueError:
        value = -1
    if not 0 <= value < most:
        raise argparse.ArgumentTypeError(f"must be seconds, not {text!r}")
    return value


def size(text: str) -> int:
    """Bytes, as a number or with a unit: 512M, 2G."""
    found = re.fullmatch(r"(\d+)([KMG]?)(i?B)?", text.strip(), re.IGNORECASE)
    value = int(found[1]) * UNITS[found[2].upper()] if found else 0
    if value < SMALLEST:
        raise argparse.ArgumentTypeError(f"must be a size from 32M, such as 512M or 2G, not {text!r}")
    return value


def files(text: str) -> tuple[int, int]:
    """Two file descriptors."""
    first, second = text.split(",")
    return int(first), int(second)
