"""`@task`: a function that can also be called somewhere else, later."""

import functools
import inspect
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any, Generic, ParamSpec, TypeVar, Unpack, cast, overload

from asgiref.sync import sync_to_async

from django_tpq.futures.appointments import bound
from django_tpq.futures.dispatch import dispatch, dispatch_many
from django_tpq.futures.future import Future
from django_tpq.futures.masking import require
from django_tpq.futures.options import Options, TaskOptions
from django_tpq.futures.registry import find, register
from django_tpq.futures.schedules import Rule
from django_tpq.futures.uniqueness import require as require_parameters
from django_tpq.futures.verdicts import Snooze

__all__ = ["TaskFunction", "task"]

P = ParamSpec("P")
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
T = TypeVar("T")

Calls = Iterable[tuple[Any, ...] | Mapping[str, Any]]
"""What `delay_many` takes."""

NAME_LIMIT = 255


class TaskFunction(Generic[P, R_co]):
    """A registered task. Calling it calls the function, here and now; `delay` sends the call to a queue.

    To type checkers, a coroutine function's futures are of what its coroutine returns: that is what overloads are for.
    """

    def __init__(
        self, function: Callable[P, R_co], name: str, options: TaskOptions, aliases: tuple[str, ...] = ()
    ) -> None:
        functools.update_wrapper(cast("Callable[P, R_co]", self), function)
        self.function = function
        self.name = name
        self.options = options
        self.aliases: tuple[str, ...] = aliases
        self.origin = f"{function.__module__}.{function.__qualname__}"
        self.headers: Mapping[str, Any] = {}
        self.schedule: Rule | None = None

    def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the function itself."""
        return self.function(*args, **kwargs)

    @overload
    def delay(
        self: "TaskFunction[P, Coroutine[Any, Any, T | Snooze]]", /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...

    @overload
    def delay(self, /, *args: P.args, **kwargs: P.kwargs) -> Future[R_co]: ...

    def delay(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a call to the queue, in the caller's transaction; the future of its result.

        Raises:
            TypeError: an argument can not be written by the task's codec; the text names it.
        """
        return dispatch(self, args, kwargs)

    @overload
    def delay_many(
        self: "TaskFunction[P, Coroutine[Any, Any, T | Snooze]]", calls: Calls
    ) -> list[Future[T]]: ...

    @overload
    def delay_many(self, calls: Calls) -> list[Future[R_co]]: ...

    def delay_many(self, calls: Calls) -> list[Future[Any]]:
        """Send many calls in one go; their futures in order.

        Args:
            calls: each a tuple of positional arguments, or a dict of keyword arguments.
        """
        return dispatch_many(self, calls)

    @overload
    async def adelay(
        self: "TaskFunction[P, Coroutine[Any, Any, T | Snooze]]", /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]: ...

    @overload
    async def adelay(self, /, *args: P.args, **kwargs: P.kwargs) -> Future[R_co]: ...

    async def adelay(self, /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As `delay`."""
        return await sync_to_async(self.delay)(*args, **kwargs)

    @overload
    async def adelay_many(
        self: "TaskFunction[P, Coroutine[Any, Any, T | Snooze]]", calls: Calls
    ) -> list[Future[T]]: ...

    @overload
    async def adelay_many(self, calls: Calls) -> list[Future[R_co]]: ...

    async def adelay_many(self, calls: Calls) -> list[Future[Any]]:
        """As `delay_many`."""
        return await sync_to_async(self.delay_many)(calls)

    def using(self, **options: Unpack[Options]) -> "TaskFunction[P, R_co]":
        """The same task with other options for the calls made through it: those of `TaskOptions`."""
        if "schedule" in options:
            raise TypeError(f"task {self.name}: a schedule is of the task, not of a call: give it to @task")
        return type(self)(self.function, self.name, _checked(self.name, self.function, self.options, options))

    def __reduce__(self) -> Any:
        """By reference, as a function; a copy made by `using` as that and its options."""
        registered = find(self.name)
        return self.function.__qualname__ if registered is self else (_copied, (registered, self.options))

    def __repr__(self) -> str:
        return f"<task {self.name}>"


@overload
def task(function: Callable[P, R | Snooze], /) -> TaskFunction[P, R]: ...


@overload
def task(
    *,
    name: str | None = None,
    aliases: Sequence[str] = (),
    schedule: Rule | None = None,
    **options: Unpack[Options],
) -> Callable[[Callable[P, R | Snooze]], TaskFunction[P, R]]: ...


def task(
    function: Callable[..., Any] | None = None,
    /,
    *,
    name: str | None = None,
    aliases: Sequence[str] = (),
    schedule: Rule | None = None,
    **options: Unpack[Options],
) -> Any:
    """Register a module's function as a task. Bare, or with options: those of `TaskOptions`, and three more.

    Args:
        name: instead of `module.function`.
        aliases: names that it had before, under which calls may still be queued.
        schedule: `Cron(…)` or `Every(…)`, by which executors call it.

    Raises:
        TypeError, ValueError: it is no function of a module, or an option does not fit.
        DuplicateTask: another function has the name, or an alias.
    """
    if function is None:
        return functools.partial(_registered, name=name, aliases=aliases, schedule=schedule, options=options)
    return _registered(function, name=name, aliases=aliases, schedule=schedule, options=options)


def _registered(
    function: Callable[P, R],
    name: str | None,
    aliases: Sequence[str],
    schedule: Rule | None,
    options: Mapping[str, Any],
) -> TaskFunction[P, R]:
    qualname = getattr(function, "__qualname__", None)
    if qualname is None or not callable(function) or isinstance(function, type):
        raise TypeError(f"@task needs a function, not {function!r}")
    if "." in qualname or "<" in qualname:
        raise TypeError(
            f"{function.__module__}.{qualname} can not be a task: executors can only find functions of a module, "
            "not lambdas, methods or functions inside functions"
        )
    full = _name("a task's name", name if name is not None else f"{function.__module__}.{qualname}")
    if isinstance(aliases, str):
        raise TypeError(f"task {full}: aliases must be a list of names, such as [{aliases!r}]")
    others = tuple(_name(f"task {full}: an alias", alias) for alias in aliases)
    checked = _checked(full, function, TaskOptions(), options)
    _require(full, function, checked)
    registered = TaskFunction(function, full, checked, others)
    if schedule is not None:
        registered.schedule = _fitting(registered, schedule)
    register(registered)
    return registered


def _name(what: str, name: Any) -> str:
    if not isinstance(name, str) or not name or len(name) > NAME_LIMIT or "\0" in name:
        raise ValueError(f"{what} is text of 1 to {NAME_LIMIT} characters, not {name!r}")
    return name


def _require(name: str, function: Callable[..., Any], options: TaskOptions) -> None:
    try:
        require(function, options.secret)
    except ValueError as error:
        raise ValueError(f"task {name}: {error}") from None


def _fitting(task: TaskFunction[P, R], schedule: Any) -> Rule:
    if not isinstance(schedule, Rule):
        raise TypeError(f"task {task.name}: schedule must be Cron(…) or Every(…), not {schedule!r}")
    bound(task, schedule.args, schedule.kwargs)
    return schedule


def _copied(task: TaskFunction[P, R], options: TaskOptions) -> TaskFunction[P, R]:
    return TaskFunction(task.function, task.name, options)


def _checked(
    name: str, function: Callable[..., Any], base: TaskOptions, changes: Mapping[str, Any]
) -> TaskOptions:
    is_async = inspect.iscoroutinefunction(function)
    usual = {"executor": "async"} if is_async and base.executor is None and not changes.get("atomic") else {}
    try:
        options = base.replaced({**usual, **changes})
        if options.executor == "async" and not is_async:
            raise TypeError("executor='async' is for coroutine functions (async def)")
        if "unique" in changes:
            require_parameters(function, options.unique)
        return options
    except (TypeError, ValueError) as error:
        raise type(error)(f"task {name}: {error}") from None
