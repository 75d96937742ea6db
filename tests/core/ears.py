"""A subscriber that keeps what it is told."""

import contextlib
import queue
import threading


class Ear:
    """A subscriber: what it is told, in order."""

    def __init__(self):
        self.told = queue.Queue()

    def __call__(self, payload):
        self.told.put(payload)

    def next(self):
        return self.told.get(timeout=10)

    def hears(self, payload):
        """Whether the payload comes, whatever else is told before."""
        with contextlib.suppress(queue.Empty):
            while self.told.get(timeout=10) != payload:
                pass
            return True
        return False

    @property
    def heard_nothing(self):
        return self.told.empty()


def threads():
    """The listeners' threads in this process."""
    return [thread for thread in threading.enumerate() if thread.name == "tpq-listener"]
