"""Tasks and futures: `@task`, `f = fn.delay(…)`, `f.result(wait=0)`. Safe to import before apps are ready."""

from django_tpq.futures.completion import as_completed, wait
from django_tpq.futures.context import CurrentCall, current_call
from django_tpq.futures.decorators import TaskFunction, task
from django_tpq.futures.errors import (
    CallCancelled,
    CallExpired,
    CallRolledBack,
    CallTimeout,
    DuplicateCall,
    DuplicateTask,
    ExecutorLost,
    MemoryExceeded,
    NotCommitted,
    ResultExpired,
    ResultTimeout,
    TaskError,
    TaskFailed,
    UnknownTask,
)
from django_tpq.futures.future import Future
from django_tpq.futures.pool import TaskExecutor
from django_tpq.futures.schedules import Cron, Every
from django_tpq.futures.standing import CallState
from django_tpq.futures.tracking import track
from django_tpq.futures.verdicts import Reject, Retry, Snooze
from tpq.backoff import Exponential

__all__ = [
    "CallCancelled",
    "CallExpired",
    "CallRolledBack",
    "CallState",
    "CallTimeout",
    "Cron",
    "CurrentCall",
    "DuplicateCall",
    "DuplicateTask",
    "Every",
    "ExecutorLost",
    "Exponential",
    "Future",
    "MemoryExceeded",
    "NotCommitted",
    "Reject",
    "ResultExpired",
    "ResultTimeout",
    "Retry",
    "Snooze",
    "TaskError",
    "TaskExecutor",
    "TaskFailed",
    "TaskFunction",
    "UnknownTask",
    "as_completed",
    "current_call",
    "task",
    "track",
    "wait",
]
