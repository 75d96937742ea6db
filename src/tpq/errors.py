"""What can go wrong with a queue.

QueueError
├── QueueEmpty       (also a queue.Empty)
├── LeaseLost
├── UnknownQueue
└── ConfigError
"""

import queue

__all__ = ["ConfigError", "LeaseLost", "QueueEmpty", "QueueError", "UnknownQueue"]


class QueueError(Exception):
    """Anything that goes wrong with a queue. Without a message of its own it says its first docstring line."""

    def __init__(self, *args: object) -> None:
        super().__init__(*(args or ((type(self).__doc__ or "").splitlines()[0],)))


class QueueEmpty(QueueError, queue.Empty):
    """The queue has no message that could be taken now."""


class LeaseLost(QueueError):
    """The message is no longer ours: make the lease longer, or the work shorter."""


class UnknownQueue(QueueError):
    """The queue's table is missing or was never installed."""


class ConfigError(QueueError):
    """The connection or the settings do not fit: the text says which one and what to do."""
