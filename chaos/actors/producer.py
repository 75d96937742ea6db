"""A producer: calls and messages of all kinds, singly and in transactions, some of which are rolled back."""

import itertools
import random
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from django.db import transaction

from chaos.actors.life import AWAY, ledger, live, may_be_committed
from chaos.actors.names import NEW
from chaos.ledger import Kind
from chaos.project import features, models, tasks
from django_tpq.futures import Future

__all__ = ["Producer", "produce"]

ROOM = 1_000_000
"""Numbers that each producer has for itself."""
ONCE = frozenset(tasks.DEATHS)
"""Evils that are done once: each ends three processes."""
PAUSE = 0.02
"""Seconds between two deeds, on average."""
SECOND_THOUGHTS = 4
"""Calls of one producer's that it has yet to cancel."""


class Undone(Exception):
    """Raised to roll a transaction back."""


class Producer:
    """One of several.

    Args:
        index: which; the first one alone feeds the ordered queue.
        seed: what makes a run the same again.
        evils: how calls misbehave or die, if they do.
    """

    def __init__(self, index: int, seed: str, evils: Sequence[str] = ()) -> None:
        self.random = random.Random(f"{seed}/{index}")
        self._numbers = itertools.count(index * ROOM + 1)
        self._evils = iter(evils) if ONCE & set(evils) else itertools.cycle(evils)
        self._deeds: dict[Callable[[], None], int] = {
            self.call: 40, self.call_slowly: 8, self.call_later: 8, self.call_many: 3, self.call_and_send: 6,
            self.undo: 6, self.fail: 3, self.send: 20,
            self.call_atomic: 12, self.call_apart: 6, self.call_coroutine: 8, self.stumble: 8, self.cancel: 5,
        }  # fmt: skip
        self._to_cancel: deque[Future[str]] = deque()
        if not index:
            self._deeds[self.send_in_order] = 8
        if evils and not (index and ONCE & set(evils)):
            self._deeds[self.do_evil] = 3

    def turn(self) -> None:
        """One deed."""
        (deed,) = self.random.choices(list(self._deeds), list(self._deeds.values()))
        deed()

    def pause(self) -> float:
        """Until the next, in seconds."""
        return self.random.uniform(0, 2 * PAUSE)

    def call(self) -> None:
        """A call that is over at once."""
        number = next(self._numbers)
        self._commit({number: "work"}, lambda: tasks.work.delay(number))

    def call_slowly(self) -> None:
        """One that takes a moment."""
        number, seconds = next(self._numbers), self.random.uniform(0.01, 0.3)
        self._commit({number: "work"}, lambda: tasks.work.delay(number, seconds))

    def call_later(self) -> None:
        """One of another priority, and later."""
        number, priority = next(self._numbers), self.random.randint(-2, 2)
        later = tasks.work.using(priority=priority, delay=self.random.uniform(0.1, 2))
        self._commit({number: "work"}, lambda: later.delay(number))

    def call_many(self) -> None:
        """Some at once."""
        numbers = list(itertools.islice(self._numbers, self.random.randint(2, 60)))
        self._commit(
            dict.fromkeys(numbers, "work"), lambda: tasks.work.delay_many([(number,) for number in numbers])
        )

    def call_and_send(self) -> None:
        """Calls and a message in one transaction."""
        first, second, third = itertools.islice(self._numbers, 3)

        def act() -> None:
            with transaction.atomic():
                tasks.work.delay(first)
                models.Taken.objects.enqueue(second)
                tasks.work.delay(third, 0.01)

        self._commit({first: "work", second: "taken", third: "work"}, act)

    def undo(self) -> None:
        """Calls and a message that are rolled back."""
        first, second = itertools.islice(self._numbers, 2)

        def act() -> None:
            with transaction.atomic():
                tasks.work.delay(first)
                models.Received.objects.enqueue(second)
                raise Undone

        self._commit({first: "work", second: "received"}, act)

    def fail(self) -> None:
        """A call that raises."""
        number = next(self._numbers)
        self._commit({number: "fails"}, lambda: tasks.fails.delay(number))

    def call_atomic(self) -> None:
        """One whose effect is part of its end; one in four in a process of its own."""
        number, seconds = next(self._numbers), self.random.uniform(0, 0.2)
        how = self.random.choices([features.writes, features.writes_apart], [3, 1])[0]
        self._commit({number: "atomic"}, lambda: how.delay(number, seconds))

    def call_apart(self) -> None:
        """One in a process of its own."""
        number, seconds = next(self._numbers), self.random.uniform(0, 0.1)
        self._commit({number: "work"}, lambda: features.works_apart.delay(number, seconds))

    def call_coroutine(self) -> None:
        """One in the event loop."""
        number, seconds = next(self._numbers), self.random.uniform(0, 1)
        self._commit({number: "work"}, lambda: features.naps.delay(number, seconds))

    def stumble(self) -> None:
        """One that fails some times before it returns."""
        number, failures = next(self._numbers), self.random.randint(1, features.ATTEMPTS - 1)
        kind, how = self.random.choice(
            [("tried again", features.stumbles), ("atomic, tried again", features.stumbles_and_writes)]
        )
        self._commit({number: kind}, lambda: how.delay(number, failures), attempts=failures + 1)

    def cancel(self) -> None:
        """One that is cancelled a while later: before it has begun, while it runs, or too late."""
        number, delay, seconds = next(self._numbers), self.random.uniform(0, 1), self.random.uniform(0, 2)
        how: Any = self.random.choice([features.writes, features.writes_apart, features.naps])
        kind = "cancelled nap" if how is features.naps else "cancelled"
        call = how.using(delay=delay)
        self._commit({number: kind}, lambda: self._to_cancel.append(call.delay(number, seconds)))
        if len(self._to_cancel) > SECOND_THOUGHTS:
            self._to_cancel.popleft().cancel()

    def send(self) -> None:
        """A message."""
        number = next(self._numbers)
        queue: Any = self.random.choice([models.Taken, models.Received, models.Leased])
        kind = queue.__name__.lower()
        priority = self.random.randint(0, 1)
        self._commit({number: kind}, lambda: queue.objects.enqueue(number, priority=priority))

    def send_in_order(self) -> None:
        """A message whose order counts."""
        number = next(self._numbers)
        self._commit({number: "ordered"}, lambda: models.Ordered.objects.enqueue(number))

    def do_evil(self) -> None:
        """A call that misbehaves, or ends its process, or that not everybody knows."""
        how = next(self._evils, None)
        if how is None:
            return
        number = next(self._numbers)
        if how == NEW:
            self._commit({number: "work"}, lambda: tasks.is_new.delay(number))
            return
        if how in features.TOO_LONG:
            self._commit({number: "too long"}, lambda: features.TOO_LONG[how].delay(number))
            return
        kind = "dies" if how in tasks.DEATHS else "returns" if how in tasks.RETURNS else "fails"
        evil: Any = tasks.dies if kind == "dies" else tasks.misbehaves
        self._commit({number: kind}, lambda: evil.delay(number, how))

    def _commit(self, kinds: dict[int, str], act: Callable[[], object], **more: int) -> None:
        for number, kind in kinds.items():
            ledger.note(Kind.ASKED, number, {"kind": kind, **more})
        try:
            act()
        except Undone:
            self._note(Kind.ROLLED_BACK, kinds)
        except AWAY as error:
            if not may_be_committed(error):
                self._note(Kind.ROLLED_BACK, kinds)
            raise
        else:
            self._note(Kind.ACKNOWLEDGED, kinds)

    def _note(self, kind: Kind, numbers: dict[int, str]) -> None:
        for number in numbers:
            ledger.note(kind, number)


def produce(index: int, seed: str, evils: Sequence[str]) -> None:
    """Be a producer."""
    producer = Producer(index, seed, evils)
    live(producer.turn, producer.pause)
