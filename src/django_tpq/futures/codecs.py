"""How arguments and results become bytes. A payload names its codec."""

import json
import pickle
import re
from typing import Any, Protocol

from django_tpq.conf import settings

__all__ = ["RESTRICTED", "Codec", "JsonCodec", "PickleCodec", "RefusedCodec", "codec", "usual"]

_WRITER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_READER = json.JSONDecoder()
"""Kept: to make one takes as long as to use it (docs/decisions/0033)."""
_KEY = re.compile(r'"(?:-?[0-9I]|true|false|null|NaN)[^"]*":')
"""What the key of a dict looks like that was none of text. Text may look like it, too."""
RESTRICTED = "restricted"
"""The value of TPQ_CODEC that lets nothing but JSON be written or read."""


class RefusedCodec(ValueError):
    """There is no such codec, or TPQ_CODEC refuses it."""


class Codec(Protocol):
    """Values to bytes and back."""

    name: str
    """What payloads call it: letters only."""

    def dumps(self, value: Any) -> bytes:
        """Write a value; raises whatever says best what can not be written."""

    def loads(self, raw: bytes) -> Any:
        """Read it."""

    def keeps_exceptions(self) -> bool:
        """Whether an exception can be written as it is."""


class PickleCodec:
    """Any picklable object."""

    name = "pickle"

    def dumps(self, value: Any) -> bytes:
        return pickle.dumps(value, protocol=pickle.HIGHEST_PROTOCOL)

    def loads(self, raw: bytes) -> Any:
        return pickle.loads(raw)

    def keeps_exceptions(self) -> bool:
        return True


class JsonCodec:
    """JSON values only: nothing that is read can run code. Tuples arrive as lists; keys of dicts are text."""

    name = "json"

    def dumps(self, value: Any) -> bytes:
        text = _WRITER.encode(value)
        if '":' in text and _KEY.search(text):
            _check_keys(value)
        return text.encode()

    def loads(self, raw: bytes) -> Any:
        return _READER.decode(raw.decode())

    def keeps_exceptions(self) -> bool:
        return False


def _check_keys(value: Any) -> None:
    """Refuse what JSON would make text of without a word."""
    if isinstance(value, dict):
        if odd := [type(key).__name__ for key in value if not isinstance(key, str)]:
            raise TypeError(f"keys of a dict must be text in JSON: one of type {odd[0]} would arrive as text")
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        return
    for each in value:
        _check_keys(each)


CODECS: dict[str, Codec] = {"pickle": PickleCodec(), "json": JsonCodec()}


def codec(name: str) -> Codec:
    """The codec of a name.

    Raises:
        RefusedCodec: there is none, or TPQ_CODEC refuses it.
    """
    if name not in CODECS:
        raise RefusedCodec(f"there is no codec {name!r}; there are {', '.join(sorted(CODECS))}")
    if name != "json" and settings.CODEC == RESTRICTED:
        raise RefusedCodec(
            f"{name} is refused: TPQ_CODEC is {RESTRICTED!r}, so nothing but JSON is written or read"
        )
    return CODECS[name]


def usual() -> Codec:
    """The codec that TPQ_CODEC names."""
    return codec("json" if settings.CODEC == RESTRICTED else settings.CODEC)
