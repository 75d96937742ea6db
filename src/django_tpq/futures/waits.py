"""What callers say of how long they wait, and where they may."""

from typing import Any

from django.utils.asyncio import async_unsafe

__all__ = ["check", "refuse_in_a_loop"]

IN_A_LOOP = (
    "This would block the event loop that runs in this thread: `await` the future, or `aresult(wait=…)`; for many, "
    "`async for … in as_completed(…)`"
)


@async_unsafe(IN_A_LOOP)
def refuse_in_a_loop() -> None:
    """For what makes its thread wait.

    Raises:
        SynchronousOnlyOperation: an event loop runs in it, as where Django's ORM raises that.
    """


def check(wait: Any, *, blocks: bool = False) -> None:
    """Whether it can be the argument `wait`.

    Args:
        blocks: whether this very thread is to wait.

    Raises:
        TypeError: it is no number.
        ValueError: it is not a number, as floats have it.
        SynchronousOnlyOperation: as `refuse_in_a_loop`.
    """
    if blocks:
        refuse_in_a_loop()
    if isinstance(wait, bool) or not isinstance(wait, (int, float)):
        error: type[Exception] = TypeError
    elif wait != wait:
        error = ValueError
    else:
        return
    raise error(
        f"wait must be seconds, not {wait!r}: negative: do not wait; 0: for ever; else at most so many"
    )
