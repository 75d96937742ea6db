"""The judge: what a history shows that no promise allows. Pure; it asks nobody."""

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import NamedTuple

from chaos.history import Call, Fault, History, Run

__all__ = ["Effect", "Left", "Verdict", "judge"]

GRACE = 20.0
"""Seconds after a fault in which it still explains that a call ran twice: leases end, hearts steady."""
UNFLUSHED = 3.0
"""Seconds that a count may be in memory only: a flush a second, on a busy machine."""
CRASHES = frozenset({"dies"})
"""Kinds of calls that end their process each time: they become dead letters."""
TOO_LONG = frozenset({"too long"})
"""Those that are interrupted, or given up where they stick: they become dead letters, and their runs need no end."""
CANCELLED = frozenset({"cancelled", "cancelled nap"})
"""Those that somebody cancels at some time: dead letters, or done."""
ATOMIC = frozenset({"atomic", "atomic, tried again"})
"""Those whose effect is in the transaction of their end: they may run twice, and have one effect."""
CALLS = (
    frozenset({"work", "fails", "returns", "sticks", "tried again"}) | ATOMIC | CRASHES | TOO_LONG | CANCELLED
)
"""Kinds that are calls; the others are messages."""


class Effect(NamedTuple):
    """What a message's transaction left in the database."""

    queue: str
    number: int


class Left(NamedTuple):
    """What is in the queues at the end."""

    claimed: int
    unfinished: int
    """Ready and waiting."""
    dead: frozenset[int]
    """The numbers of the dead letters."""


@dataclass
class Verdict:
    """What was found, by what it breaks; an example for each."""

    broken: dict[str, list[str]] = field(default_factory=dict)
    excused: dict[str, list[str]] = field(default_factory=dict)
    """What a fault explains."""
    recovery: list[float] = field(default_factory=list)
    """Seconds from a crash to the next run of each call that it cut short."""

    @property
    def is_clean(self) -> bool:
        """Whether no promise was broken."""
        return not any(self.broken.values())

    @property
    def median_recovery(self) -> float:
        """Seconds; 0: nothing was cut short."""
        return statistics.median(self.recovery) if self.recovery else 0.0


Finding = Iterator[tuple[str, str]]
"""What it is (beginning with ! when a fault excuses it), and which call."""


def judge(told: History, effects: Sequence[Effect], left: Left, counted: int) -> Verdict:
    """All that is wrong with a history, its effects, what is left of it, and what the statistics have counted."""
    verdict = Verdict({name: [] for name in PROMISES})
    for call in told.calls.values():
        for check in CHECKS:
            for name, example in check(call, told):
                place = verdict.excused if name.startswith("!") else verdict.broken
                place.setdefault(name.removeprefix("!"), []).append(example)
        verdict.recovery += _recoveries(call, told)
    of_all = (
        _effects(told.calls, effects),
        _order(effects),
        _left(told.calls, left),
        _cancelled(told.calls, effects, left),
        _statistics(told, counted),
    )
    for name, example in chain.from_iterable(of_all):
        verdict.broken[name].append(example)
    return verdict


PROMISES = (
    "committed and never ran",
    "rolled back and ran",
    "ran twice without a fault",
    "two runs at a time",
    "a result of a late run",
    "no result",
    "no run to the end",
    "an attempt missing",
    "an attempt too many",
    "neither cancelled nor done",
    "both cancelled and done",
    "an effect twice",
    "an effect missing",
    "an effect of nothing",
    "out of order",
    "left claimed",
    "left unfinished",
    "not a dead letter",
    "a dead letter of nothing",
    "statistics",
)

TRANSACTIONAL = frozenset({"taken", "received", "ordered"})
"""Kinds of messages whose work is in the transaction that takes them: they have effects, and no runs."""


def _never_ran(call: Call, told: History) -> Finding:
    if call.kind not in TRANSACTIONAL | CANCELLED and call.acknowledged is not None:
        if not call.runs:
            yield "committed and never ran", str(call)
        elif call.kind not in CRASHES | TOO_LONG and all(run.ended is None for run in call.runs):
            yield "no run to the end", str(call)


def _ran_all_the_same(call: Call, told: History) -> Finding:
    if call.runs and (call.rolled_back or call.asked is None):
        yield "rolled back and ran", str(call)


def _attempts(call: Call, told: History) -> Finding:
    """Each failed attempt is followed by the next, until the one that returns."""
    ended = {run.attempt for run in call.runs if run.ended}
    if ended and max(ended) > call.attempts:
        yield "an attempt too many", str(call)
    if call.acknowledged is not None and ended and len(ended) < call.attempts:
        yield "an attempt missing", str(call)


def _ran_twice(call: Call, told: History) -> Finding:
    for first, second in _repeated(call):
        if _explained(first, second, told.faults) or call.kind in CRASHES or first.refused:
            yield "!ran twice", str(call)
        else:
            yield "ran twice without a fault", str(call)


def _repeated(call: Call) -> Iterator[tuple[Run, Run]]:
    """Runs of one attempt that came after each other."""
    for attempt in range(1, max((run.attempt for run in call.runs), default=0) + 1):
        yield from pairwise(run for run in call.runs if run.attempt == attempt)


def _overlapped(call: Call, told: History) -> Finding:
    for first, second in pairwise(call.runs):
        end = min(first.ended or float("inf"), told.death_of(first.pid))
        if end > second.started and call.kind not in CRASHES:
            lives = _explained(first, second, [f for f in told.faults if not f.is_deadly]) or first.refused
            yield ("!two runs at a time" if lives else "two runs at a time"), str(call)


def _late_results(call: Call, told: History) -> Finding:
    for name in call.results:
        if not call.runs or name != call.runs[-1].name:
            yield "a result of a late run", str(call)
    if call.without_result:
        yield "no result", f"{call}: {call.without_result}"


CHECKS: Sequence[Callable[[Call, History], Finding]] = (
    _never_ran,
    _ran_all_the_same,
    _attempts,
    _ran_twice,
    _overlapped,
    _late_results,
)


def _explained(first: Run, second: Run, faults: Iterable[Fault]) -> bool:
    """Whether a fault touched the first run's process between its start and the second's."""
    return any(
        fault.touches(first.pid) and fault.begin <= second.started and fault.end + GRACE >= first.started
        for fault in faults
    )


def _recoveries(call: Call, told: History) -> Iterator[float]:
    for first, second in pairwise(call.runs):
        death = told.death_of(first.pid)
        if first.ended is None and first.started <= death <= second.started:
            yield second.started - death


def _effects(calls: Mapping[int, Call], effects: Sequence[Effect]) -> Finding:
    counts: dict[int, int] = {}
    for effect in effects:
        counts[effect.number] = counts.get(effect.number, 0) + 1
    for number, count in counts.items():
        call = calls.get(number)
        if call is None or call.rolled_back:
            yield "an effect of nothing", str(number)
        if count > 1:
            yield "an effect twice", f"{call or number}: {count} times"
    for call in calls.values():
        if (
            call.kind in TRANSACTIONAL | ATOMIC
            and call.acknowledged is not None
            and call.number not in counts
        ):
            yield "an effect missing", str(call)


def _order(effects: Sequence[Effect]) -> Finding:
    """One producer numbers the ordered queue's messages, one consumer takes them."""
    for first, second in pairwise(effect.number for effect in effects if effect.queue == "ordered"):
        if first > second:
            yield "out of order", f"{second} came after {first}"


def _left(calls: Mapping[int, Call], left: Left) -> Finding:
    if left.claimed:
        yield "left claimed", f"{left.claimed} rows"
    if left.unfinished:
        yield "left unfinished", f"{left.unfinished} rows"
    wanted = {call.number for call in calls.values() if call.kind in DEADLY and call.acknowledged is not None}
    for number in wanted - left.dead:
        yield "not a dead letter", str(calls[number])
    for number in left.dead:
        if number not in calls or calls[number].kind not in DEADLY | CANCELLED:
            yield "a dead letter of nothing", str(calls.get(number, number))


DEADLY = CRASHES | TOO_LONG | {"fails"}
"""Kinds of calls that end as dead letters."""


def _cancelled(calls: Mapping[int, Call], effects: Sequence[Effect], left: Left) -> Finding:
    """Who cancels may be too late, but never half. A nap leaves no effect that says that it was done."""
    written = {effect.number for effect in effects}
    for call in calls.values():
        if call.kind not in CANCELLED or call.acknowledged is None:
            continue
        is_nap, is_dead = call.kind == "cancelled nap", call.number in left.dead
        is_done = any(run.ended for run in call.runs) if is_nap else call.number in written
        if not is_dead and not is_done:
            yield "neither cancelled nor done", str(call)
        if is_dead and is_done and not is_nap:
            yield "both cancelled and done", str(call)


def _statistics(told: History, counted: int) -> Finding:
    """Each ended call is counted once; what was counted in the last moments before a kill may be lost."""
    calls = [call for call in told.calls.values() if call.kind in CALLS]
    ended = [run for call in calls for run in call.runs if run.ended]
    done = sum(any(run.ended for run in call.runs) for call in calls if call.kind not in CANCELLED)
    fresh = sum(_may_be_uncounted(run, told.faults) for run in ended)
    unseen = sum(call.kind in CRASHES | TOO_LONG | CANCELLED for call in calls)
    """Those that may be counted without a run that has ended, such as one that was cancelled in time."""
    if not done - fresh <= counted <= len(ended) + fresh + unseen:
        yield (
            "statistics",
            f"{counted} were counted of {done} calls and {len(ended)} runs, {fresh} of them fresh",
        )


def _may_be_uncounted(run: Run, faults: Iterable[Fault]) -> bool:
    return any(
        fault.touches(run.pid) and fault.begin - UNFLUSHED <= (run.ended or 0.0) <= fault.end + UNFLUSHED
        for fault in faults
    )
