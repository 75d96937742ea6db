"""LISTEN for everybody in the process who waits, on one connection. A hint, never a truth.

Whoever waits subscribes a callback to a channel; a thread of the listener's own reads the notifications. It
starts with the first subscriber and goes, connection and all, a while after the last. Without a connection
that hears (no server, a pooler that hands sessions around) `healthy` is False and waiters poll more often.
"""

import contextlib
import logging
import os
import secrets
import select
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
from psycopg import sql

from tpq.backoff import RECONNECT
from tpq.pooling import is_direct

__all__ = ["Callback", "Listener", "hears"]

logger = logging.getLogger("tpq.bell")

Callback = Callable[[str | None], None]
"""Called in the listener's thread with a notification's payload. None: look again, something may have been
missed (the channel is listened to from now on, or not any more)."""

ASK = 15.0
"""Seconds of silence after which the server is asked whether it is still there."""
DEAF = 60.0
"""Seconds after which a connection that could not hear is tried anew."""


class Listener:
    """The process's ear.

    Args:
        connect: opens an autocommit connection; called in the listener's thread.
        idle: seconds without a subscriber after which the connection is closed; 0: at once.
    """

    def __init__(self, connect: Callable[[], psycopg.Connection], idle: float = 30.0) -> None:
        self._connect = connect
        self._idle = idle
        self._reset()

    def _reset(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._callbacks: dict[str, list[Callback]] = {}
        self._thread: threading.Thread | None = None
        self._closing = False
        self.healthy = False

    @property
    def lingers(self) -> bool:
        """Whether the connection stays a while after its last subscriber."""
        return self._idle > 0

    @contextlib.contextmanager
    def subscribed(self, channel: str, callback: Callback) -> Iterator[None]:
        """Call `callback` for each notification of a channel while the block runs."""
        self.subscribe(channel, callback)
        try:
            yield
        finally:
            self.unsubscribe(channel, callback)

    def subscribe(self, channel: str, callback: Callback) -> None:
        """Add a callback. Look once more after this call; from then on the callback says when."""
        if self._pid != os.getpid():
            self._reset()  # the thread and its connection stayed in the parent
        with self._lock:
            self._callbacks.setdefault(channel, []).append(callback)
            self._closing = False
            if self._thread is None:
                self._start()
            self._poke()

    def _start(self) -> None:
        self._wake_r, self._wake_w = os.pipe()
        os.set_blocking(self._wake_w, False)
        os.set_blocking(self._wake_r, False)
        self._thread = threading.Thread(target=self._run, name="tpq-listener", daemon=True)
        self._thread.start()

    def unsubscribe(self, channel: str, callback: Callback) -> None:
        """Remove a callback."""
        with self._lock:
            callbacks = self._callbacks.get(channel, [])
            if callback in callbacks:
                callbacks.remove(callback)
            if not callbacks:
                self._callbacks.pop(channel, None)
            self._poke()
            last = not self._callbacks
        if last and not self._idle:
            self.close()

    def close(self) -> None:
        """Close the connection now if nobody is subscribed, instead of a while later."""
        with self._lock:
            thread = None if self._callbacks else self._thread
            self._closing = thread is not None
            self._poke()
        if thread is not None and thread is not threading.current_thread():
            thread.join(timeout=2)

    def _poke(self) -> None:
        if self._thread is not None:
            with contextlib.suppress(BlockingIOError):
                os.write(self._wake_w, b"!")

    # The thread -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        tries = 0
        while self._wanted_or_end():
            try:
                with self._connect() as connection:
                    if hears(connection, self._connect):
                        if tries:
                            logger.info("the bell works again")
                        tries = 0
                        self._serve(connection)
                        continue
                logger.warning("a pooler hands sessions around here: no LISTEN, waiters poll")
                pause = DEAF
            except Exception as error:  # noqa: BLE001 - whatever connecting may raise: waiters poll meanwhile
                tries += 1
                pause = RECONNECT.delay(tries).total_seconds()
                log = logger.warning if tries == 1 else logger.debug
                log("the bell is out of order, waiters poll: %s", " ".join(str(error).split()))
            self._out_of_order()
            self._pause(pause)

    def _wanted_or_end(self) -> bool:
        with self._lock:
            if not self._callbacks:
                self._thread, self.healthy, self._closing = None, False, False
                os.close(self._wake_r)
                os.close(self._wake_w)
                return False
            return True

    def _serve(self, connection: psycopg.Connection[Any]) -> None:
        connection.add_notify_handler(lambda notice: self._tell(notice.channel, notice.payload))
        listening: set[str] = set()
        poller = select.poll()
        poller.register(connection.fileno(), select.POLLIN)
        poller.register(self._wake_r, select.POLLIN)
        while True:
            new = self._update(connection, listening)
            self.healthy = True
            for channel in new:
                self._tell(channel, None)
            self._receive(connection)  # also what came with the answer to LISTEN: no socket shows it any more
            if self._closing and not listening:
                return
            ready = {file for file, _ in poller.poll((ASK if listening else self._idle) * 1000)}
            if not ready and not listening:
                return  # nobody has been here for a while
            if not ready:
                connection.execute("")
            if self._wake_r in ready:
                self._drain()

    def _update(self, connection: psycopg.Connection[Any], listening: set[str]) -> set[str]:
        """Bring LISTEN in line with the subscribers; the channels that are new."""
        with self._lock:
            wanted = set(self._callbacks)
        new = wanted - listening
        for channel in new:
            connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
        for channel in listening - wanted:
            connection.execute(sql.SQL("UNLISTEN {}").format(sql.Identifier(channel)))
        listening |= wanted
        listening &= wanted
        return new

    def _receive(self, connection: psycopg.Connection[Any]) -> None:
        connection.pgconn.consume_input()
        while notice := connection.pgconn.notifies():
            self._tell(notice.relname.decode(), notice.extra.decode())

    def _tell(self, channel: str, payload: str | None) -> None:
        with self._lock:
            callbacks = list(self._callbacks.get(channel, ()))
        for callback in callbacks:
            callback(payload)

    def _out_of_order(self) -> None:
        with self._lock:
            self.healthy = False
            channels = list(self._callbacks)
        for channel in channels:
            self._tell(channel, None)

    def _pause(self, seconds: float) -> None:
        until, poller = time.monotonic() + seconds, select.poll()
        poller.register(self._wake_r, select.POLLIN)
        while (left := until - time.monotonic()) > 0 and self._callbacks and not self._closing:
            if poller.poll(left * 1000):
                self._drain()

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._wake_r, 4096)


def hears(connection: psycopg.Connection[Any], connect: Callable[[], psycopg.Connection]) -> bool:
    """Whether a LISTEN on this connection lasts: with a pooler that hands sessions around it does not."""
    if is_direct(connection):
        return True
    channel = "tpq_test_" + secrets.token_hex(8)
    connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))
    with connect() as other:
        other.execute("SELECT pg_notify(%s, '')", [channel])
    return any(True for _ in connection.notifies(timeout=1.0, stop_after=1))
