"""Waiting for results, for everybody in the process: one listener, one thread that looks, any number of waiters.

The bell says which calls are done; a look for all waiters at once, now and then, stands behind it. A waiter is
a callback; it holds no thread of its own and no connection.
"""

import functools
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import psycopg
from django.core.cache import caches
from django.db import connections

from django_tpq.futures.calls import CallId
from django_tpq.futures.lookup import Arrival, look_up
from django_tpq.main.connections import connect, listener
from tpq.backoff import RECONNECT
from tpq.heartbeat import served
from tpq.results import CHANNEL, PREFIX
from tpq.waiting import POLL_FIRST, POLL_GROWTH

__all__ = ["Arrivals", "arrivals"]

logger = logging.getLogger("django_tpq.arrivals")

BEHIND_BELL = (0.25, 5.0)
"""Seconds between looks while the bell works: the first, and the longest."""
WITHOUT_BELL = (POLL_FIRST, 0.5)
"""And without it."""
LINGER = 10.0
"""Seconds that the thread and its connection stay without a waiter."""
LATELY = 1.0
"""Seconds that rings are remembered."""
CHUNK = 1000
IN_VAIN = 5.0
"""Seconds of waiting after which it is looked whether anybody runs such calls."""
IN_VAIN_AGAIN = 60.0
"""And after that."""

Callback = Callable[[Arrival], None]


class _Waiter(NamedTuple):
    call: CallId
    callback: Callback


class Arrivals:
    """The waiters of one database."""

    def __init__(self, alias: str) -> None:
        self._alias = alias
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._wake = threading.Condition()
        self._waiters: dict[str, list[_Waiter]] = {}
        self._fresh: set[str] = set()
        self._is_restless = False
        self._heard_since = float("inf")
        self._rung_lately: dict[str, float] = {}
        self._thread: threading.Thread | None = None

    def hears_since(self, moment: float) -> bool:
        """Whether no ring since a moment (monotonic) can have been missed, nor been forgotten by now."""
        return self._heard_since < moment and time.monotonic() - moment < LATELY

    def watch(self, call: CallId, callback: Callback, made_at: float = 0.0) -> None:
        """Call `callback` once, in a thread, when the call has ended.

        Args:
            made_at: the moment (monotonic) before the call was made in this process; 0: elsewhere. Who has heard the
                bell since then need not look first.
        """
        if self._pid != os.getpid():
            self._reset()
        with self._wake:
            self._waiters.setdefault(call.token, []).append(_Waiter(call, callback))
            if not self.hears_since(made_at) or call.token[:PREFIX] in self._rung_lately:
                self._fresh.add(call.token)
            self._is_restless = True
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="tpq-arrivals", daemon=True)
                thread.start()
                self._thread = thread
            self._wake.notify()

    def forget(self, call: CallId, callback: Callback) -> None:
        """The waiter has lost its patience."""
        with self._wake:
            left = [w for w in self._waiters.get(call.token, ()) if w.callback is not callback]
            if left:
                self._waiters[call.token] = left
            else:
                self._waiters.pop(call.token, None)
            self._wake.notify()

    # The thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        ear = listener(self._alias)
        connection: psycopg.Connection[Any] | None = None
        tries = 0
        try:
            if ear is not None:
                ear.subscribe(CHANNEL, self._rung)
            while self._wanted_or_end():
                try:
                    connection = connection or connect(self._alias)
                    if tries:
                        self._look(connection, self._take(everything=True))
                        logger.info("results can be looked up again")
                        tries = 0
                    self._look_for(connection, ear)
                except Exception as error:  # noqa: BLE001 - a database or cache away is no reason to strand waiters
                    tries += 1
                    log = logger.warning if tries == 1 else logger.debug
                    log("results can not be looked up: %s", " ".join(str(error).split()))
                    _close(connection)
                    connection = None
                    _leave_nothing_open()
                    time.sleep(RECONNECT.delay(tries).total_seconds())
        finally:
            self._ended()
            if ear is not None:
                ear.unsubscribe(CHANNEL, self._rung)
            _close(connection)
            _leave_nothing_open()

    def _wanted_or_end(self) -> bool:
        with self._wake:
            if not self._waiters:
                ear = listener(self._alias)
                lingers = ear is not None and ear.lingers
                self._wake.wait_for(lambda: bool(self._waiters), LINGER if lingers else 0)
            if not self._waiters:
                self._thread = None
                return False
            return True

    def _ended(self) -> None:
        """Whatever ended the thread, the next waiter starts another."""
        with self._wake:
            if self._thread is threading.current_thread():
                self._thread = None
            if self._thread is None:
                self._heard_since = float("inf")

    def _look_for(self, connection: psycopg.Connection[Any], ear: Any) -> None:
        """Look until nobody waits any more: for the fresh at once; for all now and then, however busy the bell is."""
        pause = due = 0.0
        doubt_at = time.monotonic() + IN_VAIN
        while self._waiters:
            everything = time.monotonic() >= due
            self._look(connection, self._take(everything=everything))
            first, longest = BEHIND_BELL if ear is not None and ear.healthy else WITHOUT_BELL
            if everything:
                pause = min(longest, max(first, pause * POLL_GROWTH))
                due = time.monotonic() + pause
            if time.monotonic() >= doubt_at:
                doubt_at = time.monotonic() + self._tell_who_is_missing(connection)
            with self._wake:
                self._wake.wait_for(self._is_woken, max(0.0, due - time.monotonic()))
                if self._is_restless:  # somebody is new, or the bell has changed: look for all again soon
                    self._is_restless, pause = False, 0.0
                    due = min(due, time.monotonic() + first)
        caches.close_all()  # as after a request

    def _tell_who_is_missing(self, connection: psycopg.Connection[Any]) -> float:
        """Say which queues have no executor; after how many seconds to look again. Not every role may see executors."""
        try:
            alive = served(connection, "tpq_consumer")
        except psycopg.errors.InsufficientPrivilege:
            return float("inf")
        with self._wake:
            queues = Counter(waiters[0].call.queue for waiters in self._waiters.values())
        for queue in queues.keys() - alive:
            logger.warning(
                "%s call(s) of the queue %r are waited for, and no executor that serves it is alive: "
                "`manage.py executor` starts one",
                queues[queue],
                queue,
            )
        return IN_VAIN_AGAIN

    def _is_woken(self) -> bool:
        return bool(self._fresh) or not self._waiters

    def _take(self, *, everything: bool) -> list[CallId]:
        with self._wake:
            tokens = list(self._waiters) if everything else [t for t in self._fresh if t in self._waiters]
            self._fresh.clear()
            return [self._waiters[token][0].call for token in tokens]

    def _look(self, connection: psycopg.Connection[Any], calls: list[CallId]) -> None:
        for start in range(0, len(calls), CHUNK):
            chunk = calls[start : start + CHUNK]
            for call, arrival in look_up(chunk, connection.cursor):
                self._deliver(call, arrival)

    def _deliver(self, call: CallId, arrival: Arrival) -> None:
        with self._wake:
            waiters = self._waiters.pop(call.token, [])
        for waiter in waiters:
            waiter.callback(arrival)

    def _rung(self, payload: str | None) -> None:
        with self._wake:
            if payload is None:  # the bell is heard from now on, or not any more
                ear = listener(self._alias)
                self._heard_since = time.monotonic() if ear is not None and ear.healthy else float("inf")
                self._is_restless = True
                self._fresh.update(self._waiters)
            else:
                self._fresh.update(self._named(payload))
            if self._fresh:
                self._wake.notify()

    def _named(self, payload: str) -> Iterable[str]:
        prefixes = {payload[i : i + PREFIX] for i in range(0, len(payload), PREFIX)}
        self._remember(prefixes)
        return (token for token in self._waiters if token[:PREFIX] in prefixes)

    def _remember(self, prefixes: Iterable[str]) -> None:
        """Keep what rang lately: a call may end before its future is waited for."""
        now, lately = time.monotonic(), self._rung_lately
        for prefix in prefixes:
            lately[prefix] = now
        while lately and now - next(iter(lately.values())) > LATELY:
            del lately[next(iter(lately))]


def _close(connection: psycopg.Connection[Any] | None) -> None:
    if connection is not None:
        connection.close()


def _leave_nothing_open() -> None:
    """Close what the store has opened in this thread: after an error it may be broken for good."""
    connections.close_all()
    caches.close_all()


@functools.cache
def arrivals(alias: str) -> Arrivals:
    """The waiters of a database, in this process."""
    return Arrivals(alias)
