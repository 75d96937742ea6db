"""Results that do not show what their task calls secret."""

import copy
import inspect
from dataclasses import dataclass
from typing import Any

from django_tpq.backend.compat import TaskResult
from django_tpq.backend.tasks import function_of
from django_tpq.futures.masking import MASK, Argument, named

__all__ = ["PostgreSQLResult"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class PostgreSQLResult(TaskResult):  # type: ignore[misc, type-arg]
    """A result of Django's, whose text masks secret arguments: it stands in logs and in reports of errors."""

    def __repr__(self) -> str:
        secret = getattr(self.task, "secret", ())
        return TaskResult.__repr__(_masked(self, secret) if secret else self)


def _masked(result: Any, secret: tuple[str, ...]) -> Any:
    signature = inspect.signature(function_of(result.task))
    arguments = list(named(signature, secret, result.args, result.kwargs))
    masked = copy.copy(result)
    object.__setattr__(masked, "args", [_shown(each) for each in arguments if each.name is None])
    object.__setattr__(masked, "kwargs", {each.name: _shown(each) for each in arguments if each.name})
    return masked


def _shown(argument: Argument) -> Any:
    return MASK if argument.is_secret else argument.value
