"""Which slots of a schedule get their call now, which do not any more, and when the next one is. Pure."""

import zlib
from collections import deque
from datetime import datetime, timedelta
from typing import NamedTuple

from django_tpq.futures.schedules import Rule
from django_tpq.main.durations import seconds

__all__ = ["MOST", "Plan", "jitter_of", "plan", "skipped_until"]

MOST = 100
"""Slots that get their call at once, at most: the newest. What came before them is skipped."""
MADE_UP = {"skip": 0, "latest": 1, "all": MOST}
"""How many missed slots get their call at most, by `misfire`."""
FIRST_LOOK = timedelta(minutes=1)
"""How far back to look for the newest slots at first; then twice as far, and so on."""
BEFORE = timedelta(microseconds=1)


class Plan(NamedTuple):
    """What to do about a schedule."""

    due: list[datetime]
    """The slots to call, in order."""
    skipped: datetime | None
    """The newest slot that gets no call; None: each gets one."""
    next_at: datetime | None
    """The next slot; None: there is none."""


def plan(rule: Rule, next_at: datetime, now: datetime) -> Plan:
    """What to do about a schedule whose next slot was due at `next_at`.

    What is late by no more than the rule's `grace` gets its call; of what is later, missed, its `misfire` decides.
    """
    line = max(now - seconds(rule.grace), next_at) - BEFORE
    wanted = MADE_UP[rule.misfire]
    late = _newest(rule, line, now, MOST + 1)
    missed = _newest(rule, next_at - BEFORE, line, wanted + 1)  # one more tells whether any gets no call
    known = [*missed, *late]
    place = len(known) - min(MOST, len(late) + min(wanted, len(missed)))
    return Plan(known[place:], known[place - 1] if place else None, rule.after(now))


def skipped_until(rule: Rule, next_at: datetime, until: datetime) -> Plan:
    """What to do if no slot up to a moment gets its call."""
    newest = _newest(rule, next_at - BEFORE, until, 1)
    return Plan([], newest[-1] if newest else None, rule.after(until))


def jitter_of(rule: Rule, name: str, slot: datetime) -> timedelta:
    """By how much the call of a slot is put off: always the same for the same slot."""
    share = zlib.crc32(f"{name} {slot.isoformat()}".encode()) / 2**32
    return share * seconds(rule.jitter)


def _newest(rule: Rule, after: datetime, until: datetime, count: int) -> list[datetime]:
    """The last slots after a moment up to another, in order. It looks back from the end: there may be very many."""
    window = FIRST_LOOK
    while True:
        start = until - min(window, until - after)
        found = deque(rule.slots(start, until), maxlen=count)
        if len(found) == count or start <= after:
            return list(found)
        window *= 2
