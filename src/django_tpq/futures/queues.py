"""Queue names and their models. The only lazy spot: models are looked up when a call is made."""

import functools
from typing import TYPE_CHECKING, Any, cast

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured

from django_tpq.conf import settings
from django_tpq.main.managers import QueueManager

if TYPE_CHECKING:
    from django_tpq.futures.models import BaseCallQueue

__all__ = ["manager", "names_on"]


def manager(name: str) -> "QueueManager[BaseCallQueue]":
    """`objects` of the queue of a name.

    Raises:
        ImproperlyConfigured: TPQ_QUEUES has no such name, or names no queue of calls.
    """
    try:
        label = settings.QUEUES[name]
    except KeyError:
        known = ", ".join(sorted(settings.QUEUES))
        raise ImproperlyConfigured(
            f"there is no call queue {name!r} in TPQ_QUEUES (it has: {known})"
        ) from None
    try:
        model = _model(label)
    except (LookupError, ValueError) as error:
        raise ImproperlyConfigured(
            f"TPQ_QUEUES[{name!r}] is {label!r}, but there is no such model: {error}"
        ) from None
    except TypeError as error:
        raise ImproperlyConfigured(f"TPQ_QUEUES[{name!r}]: {error}") from None
    return cast("QueueManager[BaseCallQueue]", model._default_manager)


@functools.cache
def _model(label: str) -> Any:
    model: Any = apps.get_model(label)
    if not {"task", "token", "payload"} <= {field.name for field in model._meta.fields}:
        raise TypeError(f"{label} is not derived from BaseCallQueue")
    return model


def names_on(alias: str | None) -> list[str]:
    """The names of the queues that live in a database; None: of all."""
    return sorted(name for name in settings.QUEUES if alias in (None, manager(name).db_for_queue))
