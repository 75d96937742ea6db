"""Task names and their functions. Filled when modules with tasks are imported; nothing is imported by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from django_tpq.futures.errors import DuplicateTask, UnknownTask
from django_tpq.futures.options import TaskOptions

__all__ = ["Registered", "add_finder", "find", "finder", "names", "register", "uses"]


class Registered(Protocol):
    """What the registry holds."""

    name: str
    options: TaskOptions
    origin: str
    headers: Mapping[str, Any]
    """What its calls carry beside their options."""
    aliases: tuple[str, ...]
    """Names that it had before."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

    def __hash__(self) -> int: ...


_tasks: dict[str, Registered] = {}
_executors: set[str | None] = set()
_finders: dict[str, Callable[[str], Registered]] = {}


def register(task: Registered) -> None:
    """Add a task, also under its aliases. The same function again (a reload) takes the place.

    Raises:
        DuplicateTask: another function has the name, or an alias.
    """
    for name in (task.name, *task.aliases):
        known = _tasks.get(name)
        if known is not None and known.origin != task.origin:
            raise DuplicateTask(_twice(name, known, task))
    _tasks.update(dict.fromkeys((task.name, *task.aliases), task))
    _executors.add(task.options.executor)


def _twice(name: str, known: Registered, task: Registered) -> str:
    if name in task.aliases or name in known.aliases:
        aliased, other = (task, known) if name in task.aliases else (known, task)
        return f"{name!r} is an alias of the task {aliased.name!r} ({aliased.origin}), but {other.origin} has it, too"
    return f"the task {name!r} is defined twice: by {known.origin} and by {task.origin}"


def find(name: str) -> Registered:
    """The task of a name, or of an alias.

    Raises:
        UnknownTask: this process does not know it.
    """
    try:
        return _tasks[name]
    except KeyError:
        raise UnknownTask(f"this executor does not know the task {name!r}") from None


def add_finder(kind: str, finder: Callable[[str], Registered]) -> None:
    """Let a function find the tasks of calls whose headers name a kind, by importing them if need be."""
    _finders[kind] = finder


def finder(headers: Any) -> Callable[[str], Registered] | None:
    """What finds the task of a call with these headers, once its signature was right; None: `find`, before that."""
    kind = headers.get("kind") if isinstance(headers, Mapping) else None
    return _finders.get(kind) if isinstance(kind, str) else None


def uses(executor: str) -> bool:
    """Whether a task of this process runs there (see `TaskOptions.executor`)."""
    return executor in _executors


def names() -> Iterator[str]:
    """The names of all tasks, with their aliases."""
    return iter(sorted(_tasks))
