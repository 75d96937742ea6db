"""What can go wrong with tasks and futures.

TaskError
├── UnknownTask
├── DuplicateCall
├── DuplicateTask
├── CallCancelled
├── CallExpired
├── CallTimeout          (also a TimeoutError)
├── MemoryExceeded
├── TaskFailed
│   └── ExecutorLost
├── ResultTimeout        (also a TimeoutError)
├── ResultExpired
├── NotCommitted
└── CallRolledBack
"""

__all__ = [
    "CallCancelled",
    "CallExpired",
    "CallRolledBack",
    "CallTimeout",
    "DuplicateCall",
    "DuplicateTask",
    "ExecutorLost",
    "MemoryExceeded",
    "NotCommitted",
    "ResultExpired",
    "ResultTimeout",
    "TaskError",
    "TaskFailed",
    "UnknownTask",
]


class TaskError(Exception):
    """Anything that goes wrong with tasks."""


class UnknownTask(TaskError):
    """No task of that name is registered here: is its module imported (`tasks.py` of an installed app)?"""


class DuplicateTask(TaskError):
    """Two functions claim one task name: give one of them another by `@task(name=…)`."""


class DuplicateCall(TaskError):
    """Another call has the key that this one's task says is to be unique; the text names both."""


class CallCancelled(TaskError):
    """The call was cancelled, while it waited or ran, or replaced. A task that is asked to stop may raise it, too."""


class CallExpired(TaskError):
    """The call had not begun when its `expires` was over: it never runs."""


class CallTimeout(TaskError, TimeoutError):
    """A run took longer than the task's `timeout`; the text says where it was then."""


class MemoryExceeded(TaskError):
    """A run made its process larger than `executor --max-memory` allows; the text says where it was then."""


class TaskFailed(TaskError):
    """The task raised something that can not be raised here; the text names it and has its traceback."""


class ExecutorLost(TaskFailed):
    """The executor died under the call each time it was delivered; it is kept as a dead letter."""


class ResultTimeout(TaskError, TimeoutError):
    """The result is not there yet."""


class ResultExpired(TaskError):
    """The call is done, but its result is gone: its time to live is over, or it got lost with its cache."""


class NotCommitted(TaskError):
    """The call was made in the transaction that is still open here, so nobody can run it before the commit."""


class CallRolledBack(TaskError):
    """The transaction that made the call was rolled back: it will never run."""
