"""The arguments of a call as a person may see them: read only if their signature is right, shortened, secrets masked.

Reading pickled arguments runs their own code, in the process that shows them: it was signed by us, and an executor
would do the same.
"""

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from django_tpq.futures.calls import BadSignature, unpack
from django_tpq.futures.masking import MASK, named, shown
from django_tpq.futures.registry import Registered, find, finder

__all__ = ["seen", "signature_of", "task_of"]


def seen(queue: str, call: Any) -> str:
    """A queued call as text: `(7, to='ada', password=••••)`, or why its arguments can not be seen.

    Args:
        queue: the queue's name in TPQ_QUEUES.
        call: its row, or whatever has `task`, `token`, `payload` and `headers`.
    """
    try:
        _, (args, kwargs) = unpack(queue, call.token, call.task, bytes(call.payload))
    except BadSignature:
        return "(not read: the signature is wrong)"
    except Exception as error:  # noqa: BLE001 - unpickling runs the arguments' own code, which may name secrets
        return f"(can not be read: {type(error).__name__})"
    try:
        return _text(task_of(call.task, call.headers), args, kwargs)
    except Exception:  # noqa: BLE001 - finding a task of Django's imports its module
        names = [*[MASK] * len(args), *(f"{name}={MASK}" for name in kwargs)]
        return f"({', '.join(names)}): the task is unknown here, so it is not known which are secret"


def task_of(name: str, headers: Any) -> Registered:
    """The task of a queued call whose signature is right.

    Raises:
        UnknownTask: it is not registered here.
        Exception: a task of Django's can not be imported.
    """
    if find_it := finder(headers):
        return find_it(name)
    return find(name)


@functools.lru_cache(maxsize=1024)
def signature_of(task: Registered) -> inspect.Signature:
    """The parameters that a call's arguments go to."""
    function: Callable[..., Any] = getattr(task, "function", task)
    return inspect.signature(function)


def _text(task: Registered, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
    return f"({shown(list(named(signature_of(task), task.options.secret, args, kwargs)))})"
