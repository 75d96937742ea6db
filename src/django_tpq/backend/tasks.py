"""A task of Django's with options of ours, and a decorator that makes one on every Django."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import (
    TYPE_CHECKING,
    Any,
    Concatenate,
    Literal,
    ParamSpec,
    Protocol,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from django_tpq.backend import compat
from django_tpq.backend.compat import TaskContext, task_backends
from django_tpq.futures.options import (
    BackoffOption,
    DuplicateOption,
    ErrorTypes,
    ExecutorOption,
    UniqueOption,
)
from django_tpq.futures.verdicts import Snooze

__all__ = ["PostgreSQLTask", "TaskExtras", "function_of", "task"]

P = ParamSpec("P")
R = TypeVar("R")

if TYPE_CHECKING:
    from django.tasks.base import Task
else:
    Task = types.GenericAlias(compat.Task, (P, R))  # Django's own is generic to type checkers only


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgreSQLTask(Task[P, R]):
    """A task with options of ours, each as of `django_tpq.futures.task`; None: its default there."""

    max_attempts: int = 1
    """Runs that may fail before it is given up."""
    backoff: BackoffOption | None = None
    """How long after a failed attempt the next one is."""
    retry_on: ErrorTypes | None = None
    """The exceptions after which there is another attempt."""
    give_up_on: ErrorTypes | None = None
    """Those among them after which there is none."""
    max_deliveries: int = 3
    """Executors that may die under a call before it is given up."""
    timeout: timedelta | float | None = None
    """How long a run may take; then it ends in `CallTimeout`."""
    expires: timedelta | float | datetime | None = None
    """After so long, or from that moment on, a call that has not begun is given up: `CallExpired`."""
    executor: str | None = None
    """Where it runs: `thread`, `process` or `async`. None: coroutine functions in the event loop, others in threads."""
    atomic: bool = False
    """Whether what it writes to the queue's database and its end are one transaction."""
    unique: UniqueOption = None
    """Of calls with the same key there is one at a time."""
    unique_for: timedelta | float | None = None
    """How long a key is held at least, also after its call has ended."""
    on_duplicate: str | None = None
    """What becomes of a call whose key another has: `existing` (its result is the other's), `error` or `replace`."""
    secret: tuple[str, ...] = ()
    """The parameters whose arguments are never shown."""

    def enqueue_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Enqueue a call after the commit of the transaction that is open on the default database, or now if none is.

        For the transaction of another database than the queue's there is the backend's method.

        Raises:
            As `enqueue`, here and now.
        """
        backend: Any = self.get_backend()
        backend.enqueue_on_commit(self, args, kwargs)


class TaskExtras(TypedDict, total=False):
    """The options of a `PostgreSQLTask` as keywords, for type checkers."""

    max_attempts: int
    backoff: BackoffOption
    retry_on: ErrorTypes
    give_up_on: ErrorTypes
    max_deliveries: int
    timeout: timedelta | float | None
    expires: timedelta | float | datetime | None
    executor: ExecutorOption
    atomic: bool
    unique: UniqueOption
    unique_for: timedelta | float | None
    on_duplicate: DuplicateOption
    secret: tuple[str, ...]


class Decorator(Protocol):
    """Makes a task of a function; of a coroutine function one of what its coroutine returns."""

    @overload
    def __call__(self, function: Callable[P, Coroutine[Any, Any, R | Snooze]], /) -> PostgreSQLTask[P, R]: ...

    @overload
    def __call__(self, function: Callable[P, R | Snooze], /) -> PostgreSQLTask[P, R]: ...


class ContextDecorator(Protocol):
    """As `Decorator`, of functions whose first argument is the context: who enqueues does not give it."""

    @overload
    def __call__(
        self, function: Callable[Concatenate[TaskContext[Any, Any], P], Coroutine[Any, Any, R | Snooze]], /
    ) -> PostgreSQLTask[P, R]: ...

    @overload
    def __call__(
        self, function: Callable[Concatenate[TaskContext[Any, Any], P], R | Snooze], /
    ) -> PostgreSQLTask[P, R]: ...


@overload
def task(function: Callable[P, Coroutine[Any, Any, R | Snooze]], /) -> PostgreSQLTask[P, R]: ...


@overload
def task(function: Callable[P, R | Snooze], /) -> PostgreSQLTask[P, R]: ...


@overload
def task(
    *,
    priority: int = 0,
    queue_name: str = "default",
    backend: str = "default",
    takes_context: Literal[True],
    **options: Unpack[TaskExtras],
) -> ContextDecorator: ...


@overload
def task(
    *,
    priority: int = 0,
    queue_name: str = "default",
    backend: str = "default",
    takes_context: Literal[False] = False,
    **options: Unpack[TaskExtras],
) -> Decorator: ...


def task(function: Callable[..., Any] | None = None, /, *, backend: str = "default", **options: Any) -> Any:
    """Django's decorator with options of ours, those of `PostgreSQLTask`: Django 6.0's own takes none.

    Raises:
        InvalidTask: it can not be one, or an option does not fit.
        TypeError: the backend's tasks have no such option.
    """
    if function is None:
        return functools.partial(task, backend=backend, **options)
    usual = {"priority": 0, "queue_name": "default", "takes_context": False, "run_after": None}
    make: Any = task_backends[backend].task_class
    return make(func=function, backend=backend, **{**usual, **options})


def function_of(task: Any) -> Callable[..., Any]:
    """A task's function, of the arguments that a call gives."""
    return functools.partial(task.func, None) if task.takes_context else task.func
