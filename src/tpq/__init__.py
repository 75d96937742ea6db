"""tpq: a message queue in a PostgreSQL table, for anybody with a psycopg connection.

import tpq

tpq.create("mail")
tpq.put("mail", {"to": "ada"})
with tpq.get("mail", wait=5) as body:
    send(body)
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from tpq.errors import ConfigError, LeaseLost, QueueEmpty, QueueError, UnknownQueue
from tpq.message import Message, State
from tpq.queue import Queue

__all__ = [
    "ConfigError",
    "LeaseLost",
    "Message",
    "Queue",
    "QueueEmpty",
    "QueueError",
    "State",
    "UnknownQueue",
    "clear",
    "create",
    "get",
    "put",
]


def create(name: str, **connection: Any) -> None:
    """Create a queue. The keywords are those of `Queue`."""
    with Queue(name, **connection) as queue:
        queue.create()


def put(name: str, body: Any, **connection: Any) -> int:
    """Add a message to a queue; its id. The keywords are those of `Queue`."""
    with Queue(name, **connection) as queue:
        return queue.put(body)


@contextlib.contextmanager
def get(name: str, wait: float = -1, **connection: Any) -> Iterator[Any]:
    """Take the next body of a queue for a block, as `Queue.get` does. The keywords are those of `Queue`."""
    with Queue(name, **connection) as queue, queue.get(wait) as body:
        yield body


def clear(name: str, **connection: Any) -> int:
    """Delete what nobody has taken from a queue; how many. The keywords are those of `Queue`."""
    with Queue(name, **connection) as queue:
        return queue.clear()
