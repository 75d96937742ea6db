"""Which arguments of a task are never shown, and how the others are. Pure."""

import inspect
import reprlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from django_tpq.futures.uniqueness import fields

__all__ = ["MASK", "Argument", "check", "named", "require", "shown"]

MASK = "••••"
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)

Signature = inspect.Signature


class Argument(NamedTuple):
    """An argument of a call."""

    name: str | None
    """The keyword; None: it was given by position."""
    value: Any
    is_secret: bool


def check(secret: Any, unique: Any) -> None:
    """Whether it can be the option.

    Raises:
        TypeError: it is no tuple of names.
        ValueError: the template of `unique` would write one of them into the call's key.
    """
    if not isinstance(secret, tuple) or not all(isinstance(name, str) and name for name in secret):
        raise TypeError(f"secret must be a tuple of parameters' names, such as ('password',), not {secret!r}")
    if isinstance(unique, str) and (told := sorted(set(fields(unique)) & set(secret))):
        raise ValueError(
            f"unique={unique!r} names {told[0]}, which is secret: a key can be read in the queue's table. "
            'Name others, or let unique be "args"'
        )


def require(function: Callable[..., Any], secret: Sequence[str]) -> None:
    """Whether a task's function has such parameters; `**kwargs` may be anything.

    Raises:
        ValueError: it has not.
    """
    if not secret:
        return
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    if unknown := sorted(set(secret) - set(parameters)):
        known = ", ".join(parameters) or "none"
        raise ValueError(f"secret names {', '.join(unknown)}, which is no parameter (there are: {known})")


def named(
    signature: Signature, secret: Sequence[str], args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[Argument]:
    """The arguments of a call, in order.

    Where they do not fit the signature, it is not known what is at which place, nor what a name meant that is no
    parameter now: all of those are as secret as one of them may be.
    """
    fits = _fits(signature, args, kwargs)
    places = _places(signature, len(args))
    for place, value in zip(places, args, strict=True):
        yield Argument(None, value, bool(secret) and (not fits or place in secret))
    rest = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
    for name, value in kwargs.items():
        parameter = name if name in signature.parameters and name != rest else rest
        is_strange = bool(secret) and not fits and name not in signature.parameters
        yield Argument(name, value, is_strange or name in secret or parameter in secret)


def shown(arguments: Sequence[Argument]) -> str:
    """Arguments as one would write them, shortened."""
    return ", ".join(_shown(argument) for argument in arguments)


def _shown(argument: Argument) -> str:
    text = MASK if argument.is_secret else _short(argument.value)
    return text if argument.name is None else f"{argument.name}={text}"


def _short(value: Any) -> str:
    """As `repr`, of a bounded length; a value's own code may raise."""
    try:
        return SHORT.repr(value)
    except Exception as error:  # noqa: BLE001 - repr runs the value's own code
        return f"<{type(value).__name__}, whose repr raises {type(error).__name__}>"


SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 120
SHORT.maxlong = 60
SHORT.maxlevel = 4
SHORT.maxdict = SHORT.maxlist = SHORT.maxtuple = 20


def _fits(signature: Signature, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
    try:
        signature.bind(*args, **kwargs)
    except TypeError:
        return False
    return True


def _places(signature: Signature, count: int) -> list[str | None]:
    """The parameters that so many arguments by position go to; None: there is none."""
    places: list[str | None] = [p.name for p in signature.parameters.values() if p.kind in POSITIONAL]
    rest = next((p.name for p in signature.parameters.values() if p.kind is p.VAR_POSITIONAL), None)
    return [*places, *[rest] * max(0, count - len(places))][:count]
