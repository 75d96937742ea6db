"""What callers say of how long they wait. Pure."""

from typing import Any

__all__ = ["check"]


def check(wait: Any) -> None:
    """Whether it can be the argument `wait`.

    Raises:
        TypeError: it is no number.
        ValueError: it is not a number, as floats have it.
    """
    if isinstance(wait, bool) or not isinstance(wait, (int, float)):
        error: type[Exception] = TypeError
    elif wait != wait:
        error = ValueError
    else:
        return
    raise error(
        f"wait must be seconds, not {wait!r}: negative: do not wait; 0: for ever; else at most so many"
    )
