"""The key of a call of which there may be only one at a time. Pure."""

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

__all__ = ["LONGEST", "check", "key_of"]

LONGEST = 255
"""Characters of a key; a longer one is told by its digest."""
ARGS = "args"
"""The value of `unique` that means: one for each set of arguments."""


def check(unique: Any) -> None:
    """Whether it can be the option.

    Raises:
        TypeError: it is neither text nor a function.
    """
    if unique is not None and not isinstance(unique, str) and not callable(unique):
        raise TypeError(
            f"unique must be {ARGS!r}, a template like 'account:{{account_id}}' or a function, not {unique!r}"
        )


def key_of(
    task: str,
    function: Callable[..., Any],
    unique: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    raw: bytes,
) -> str:
    """The key of a call.

    Args:
        task: the task's name.
        function: the task's own, whose parameters a template names.
        unique: the option.
        raw: the arguments as bytes.

    Raises:
        TypeError: a template names what is no parameter, or a function gives no text.
    """
    if unique == ARGS:
        return _fitting(f"{task}:{hashlib.sha256(raw).hexdigest()}")
    if isinstance(unique, str):
        return _fitting(f"{task}:{_formatted(task, function, unique, args, kwargs)}")
    key = unique(*args, **kwargs)
    if not isinstance(key, str):
        raise TypeError(f"task {task}: its function for `unique` gave a {type(key).__name__}, not text")
    return _fitting(f"{task}:{key}")


def _formatted(
    task: str, function: Callable[..., Any], template: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    bound = _signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    try:
        return template.format(**bound.arguments)
    except (KeyError, IndexError) as error:
        known = ", ".join(bound.arguments) or "none"
        raise TypeError(
            f"task {task}: unique={template!r} names {error}, which is no parameter (there are: {known})"
        ) from None


@functools.lru_cache(maxsize=1024)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _fitting(key: str) -> str:
    if len(key) <= LONGEST:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: LONGEST - len(digest) - 1]}:{digest}"
