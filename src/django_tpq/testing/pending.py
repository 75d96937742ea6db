"""Run what waits: in the test's thread, on its connection, inside its transaction."""

import contextlib
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

from django_tpq.futures.calls import Claimed, unpack
from django_tpq.futures.here import Here, Lost, exception_of
from django_tpq.futures.outcomes import Again, Failure, Outcome, Postponed, Refused, Success
from django_tpq.testing.databases import queues_of

__all__ = ["Ran", "run_pending"]

MANY = 10_000
"""Calls after which it is most likely that one enqueues itself for ever."""
Kind = Literal["returned", "raised", "again", "snoozed", "lost", "refused"]


class Ran(NamedTuple):
    """One run of a call."""

    id: str
    """The id of its future."""
    task: str
    """The task's name."""
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    attempt: int
    """Which attempt it was, from 1."""
    outcome: Kind
    """`returned`; `raised`: it failed, and the call is dead; `again`: it failed, and has another attempt; `snoozed`: it
    wants to run later; `lost`: its executor died under it; `refused`: its signature is wrong."""
    exception: BaseException | None = None
    """What its future raises; None while it has not ended."""
    error: str | None = None
    """The traceback of a failure, as text."""


def run_pending(
    queue: str | None = None, *, limit: int | None = None, until_empty: bool = True, raises: bool = False
) -> list[Ran]:
    """Run the calls that are due, one after the other, as an executor would; what ran, in order.

    They run in this thread, on the test's own connection, inside the transaction that is open there. Arguments and
    results are written and read for real, and `future.result()` works afterwards, in the same TestCase too. What waits
    for later (a delay, a retry, a snooze) stays: see `clock`.

    Args:
        queue: the name of one; None: all of the databases that the test may use.
        limit: runs at most.
        until_empty: also what the calls themselves enqueue, and their attempts at once; False: what is due now.
        raises: raise what the first call that fails for good has raised, as its future would.

    Raises:
        RuntimeError: there were 10,000 runs and no end: a task that enqueues itself needs a `limit`.
    """
    ran: list[Ran] = []
    with contextlib.ExitStack() as stack:
        places = [(name, stack.enter_context(Here(alias))) for name, alias in queues_of(queue)]
        for here, call in _calls(places, limit, until_empty):
            ran.append(_run(here, call))
            if raises and ran[-1].exception is not None:
                break
    if raises and ran and ran[-1].exception is not None:
        raise ran[-1].exception
    return ran


def _calls(
    places: list[tuple[str, Here]], limit: int | None, until_empty: bool
) -> Iterator[tuple[Here, Claimed]]:
    """Claimed calls, one at a time: the next one when the last has run."""
    left = {name: MANY if until_empty else here.due(name) for name, here in places}
    count, rest = 0, list(places)
    while rest and (limit is None or count < limit):
        name, here = rest[0]
        call = here.next(name) if left[name] else None
        if call is None:
            rest = _with_news(places, left) if len(rest) == 1 and until_empty else rest[1:]
            continue
        left[name] -= 1
        count += 1
        yield here, call
        if until_empty and limit is None and count >= MANY:
            raise RuntimeError(
                f"{MANY:,} calls have run and there is no end: see limit= ({call.task} ran last)"
            )


def _with_news(places: list[tuple[str, Here]], left: dict[str, int]) -> list[tuple[str, Here]]:
    """The queues that have something to do again: calls of others may have put it there."""
    return [(name, here) for name, here in places if left[name] and here.due(name)]


def _run(here: Here, call: Claimed) -> Ran:
    try:
        _, (args, kwargs) = unpack(call.queue, call.token, call.task, call.payload)
    except Exception:  # noqa: BLE001 - reading runs the arguments' own code; the run will say what is wrong
        args, kwargs = (), {}
    outcome = here.run(call)
    error = getattr(outcome, "text", None)
    exception = exception_of(call, outcome)
    name, kind = call.task, KINDS[type(outcome)]
    return Ran(str(call.call), name, tuple(args), dict(kwargs), call.attempt + 1, kind, exception, error)


KINDS: dict[type[Outcome | Lost], Kind] = {
    Success: "returned",
    Failure: "raised",
    Again: "again",
    Postponed: "snoozed",
    Lost: "lost",
    Refused: "refused",
}
