"""Every setting of django-tpq: its name, its default, what it does. Read late, so `override_settings` works."""

from typing import Any, cast

from django.conf import settings as django_settings
from django.core.signals import setting_changed

__all__ = ["RAISE", "Settings", "settings"]

RAISE = "raise"
"""The value of TPQ_INLINE with which `delay()` raises what its call has raised."""


class Settings:
    """The settings, each an attribute below; `settings.RESULT_TTL` reads `TPQ_RESULT_TTL`."""

    DATABASE: str = "default"
    """The alias that `django_tpq.main.routers.QueueRouter` sends queues and all that is ours to."""
    RESULT_CACHE: str | None = None
    """The Django cache that results go to. Unset: `default`, or PostgreSQL where others can not see that cache."""
    RESULT_STORE: str | None = None
    """Dotted path of a result store class, instead of a cache."""
    RESULT_TTL: float = 3600
    """Seconds that a result is kept."""
    QUEUES: dict[str, str] = {"default": "tpq_futures.CallQueue"}
    """The call queues by name: each a model derived from `BaseCallQueue`."""
    CODEC: str = "pickle"
    """How arguments and results are written, unless a task says otherwise: `pickle` or `json`. `restricted`: JSON,
    and nothing else is written or read, whatever a task or a row says."""
    DEAD_LETTER_TTL: float | None = 14 * 24 * 3600
    """Seconds that a failed call is kept as a dead letter; None: for ever."""
    FINISHED_TTL: float = 14 * 24 * 3600
    """Seconds that calls of the django.tasks backend are kept when they have ended well."""
    ANSWER_TIMEOUT: float = 20
    """Seconds that an executor waits for PostgreSQL's answer to a statement before it gives the connection up."""
    MAX_PAYLOAD: int = 16 * 1024 * 1024
    """Bytes that the arguments of a call may take, or its result: larger ones are refused where they are made."""
    LISTEN: str | None = "same"
    """Where to LISTEN: an alias or a DSN that leads to the server directly; `same`: the queue's own alias;
    None: nowhere, everything polls."""
    MAKEMIGRATIONS: bool = False
    """Whether plain `makemigrations`, and the reminder of `migrate`, see to queues as `queuemigrations` does."""

    INLINE: bool | str = False
    """Whether `delay()` runs the call at once, where it is made: `True`, or `"raise"` to raise there what it raises.
    For a shell and for tests without an executor."""

    @classmethod
    def _names(cls) -> set[str]:
        return {f"TPQ_{name}" for name in vars(cls) if name.isupper()}


class _Late:
    """Reads each setting once, until it changes."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(django_settings, f"TPQ_{name}", getattr(Settings, name))
        self.__dict__[name] = value
        return value

    def _changed(self, *, setting: str, **_: Any) -> None:
        self.__dict__.pop(setting.removeprefix("TPQ_"), None)


_late = _Late()
setting_changed.connect(_late._changed)

settings = cast("Settings", _late)
