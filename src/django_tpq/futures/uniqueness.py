"""The key of a call of which there may be only one at a time. Pure."""

import functools
import hashlib
import inspect
import re
import string
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from django_tpq.futures.canonical import digest

__all__ = ["LONGEST", "check", "fields", "key_of", "require"]

LONGEST = 255
"""Characters of a key; a longer one is told by its digest."""
ARGS = "args"
"""The value of `unique` that means: one for each set of arguments."""


def check(unique: Any) -> None:
    """Whether it can be the option.

    Raises:
        TypeError: it is neither text nor a function.
        ValueError: it is no template.
    """
    if isinstance(unique, str):
        list(fields(unique))
    if unique is not None and not isinstance(unique, str) and not callable(unique):
        raise TypeError(
            f"unique must be {ARGS!r}, a template like 'account:{{account_id}}' or a function, not {unique!r}"
        )


def require(function: Callable[..., Any], unique: Any) -> None:
    """Whether a task's function has the parameters that a template names.

    Raises:
        TypeError: it has not.
    """
    if not isinstance(unique, str) or unique == ARGS:
        return
    parameters = _signature(function).parameters
    if unknown := [name for name in fields(unique) if name not in parameters]:
        known = ", ".join(parameters) or "none"
        raise TypeError(f"unique={unique!r} names {unknown[0]!r}, which is no parameter (there are: {known})")


def fields(template: str) -> Iterator[str]:
    """The names in a template, those in its format specifications too.

    Raises:
        ValueError: it is none.
    """
    try:
        parts = list(string.Formatter().parse(template))
    except ValueError as error:
        raise ValueError(f"unique={template!r} is no template: {error}") from None
    for _, field, specification, conversion in parts:
        if conversion and conversion not in "rsa":
            raise ValueError(f"unique={template!r} is no template: there is no conversion !{conversion}")
        if field is not None:
            yield re.split(r"[.\[]", field)[0]
        if specification:
            yield from fields(specification)


def key_of(
    task: str,
    function: Callable[..., Any],
    unique: Any,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
) -> str:
    """The key of a call.

    Args:
        task: the task's name.
        function: the task's own, whose parameters a template names.
        unique: the option.

    Raises:
        TypeError: an argument can not be compared, or does not fit a template, or a function gives no text.
        ValueError: the key is no text that PostgreSQL can keep.
    """
    if unique == ARGS:
        key = _of_arguments(task, function, args, kwargs)
    elif isinstance(unique, str):
        key = _formatted(task, function, unique, args, kwargs)
    else:
        key = unique(*args, **kwargs)
    if not isinstance(key, str):
        raise TypeError(f"task {task}: its function for `unique` gave a {type(key).__name__}, not text")
    return _fitting(task, f"{task}:{key}")


def _of_arguments(
    task: str, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    try:
        arguments = _bound(function, args, kwargs)
    except TypeError:  # they do not fit, which an executor will say
        arguments = {"args": args, "kwargs": kwargs}
    digests = []
    for name, value in arguments.items():
        try:
            digests.append((name, digest(value)))
        except TypeError as error:
            raise TypeError(
                f'task {task}: unique="args" can not compare the argument {name!r}: {error}; let unique be a template '
                "like 'account:{account_id}', or a function of the arguments"
            ) from None
    return digest(digests)


def _formatted(
    task: str, function: Callable[..., Any], template: str, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> str:
    try:
        return template.format(**_bound(function, args, kwargs))
    except (TypeError, ValueError, LookupError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise TypeError(f"task {task}: unique={template!r} can not be filled in: {reason}") from None


def _bound(function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What each parameter gets, those that are left out too."""
    bound = _signature(function).bind(*args, **kwargs)
    bound.apply_defaults()
    return bound.arguments


@functools.lru_cache(maxsize=1024)
def _signature(function: Callable[..., Any]) -> inspect.Signature:
    return inspect.signature(function)


def _fitting(task: str, key: str) -> str:
    try:
        raw = key.encode()
    except UnicodeEncodeError:
        raise ValueError(
            f"task {task}: the key {key!a} of a unique call has a lone surrogate: it is no text"
        ) from None
    if "\0" in key:
        raise ValueError(
            f"task {task}: the key {key!a} of a unique call has a NUL, which PostgreSQL can not keep"
        )
    if len(key) <= LONGEST:
        return key
    digested = hashlib.sha256(raw).hexdigest()
    return f"{key[: LONGEST - len(digested) - 1]}:{digested}"
