"""Arrays as PostgreSQL reads them. A driver looks at each element's type, at several times the price."""

from collections.abc import Iterable, Sequence

__all__ = ["binaries", "numbers", "texts"]


def numbers(values: Iterable[int]) -> str:
    """Of whole numbers."""
    return "{" + ",".join(map(str, values)) + "}"


def texts(values: Sequence[str]) -> str:
    """Of texts, none of which is NULL."""
    everything = "".join(values)
    if '"' in everything or "\\" in everything:
        values = [value.replace("\\", "\\\\").replace('"', '\\"') for value in values]
    return '{"' + '","'.join(values) + '"}' if values else "{}"


def binaries(values: Sequence[bytes]) -> str:
    """Of byte strings."""
    return '{"\\\\x' + '","\\\\x'.join(map(bytes.hex, values)) + '"}' if values else "{}"
