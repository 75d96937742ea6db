"""How arguments and results become bytes. A payload names its codec."""

import json
import pickle
from typing import Any, Protocol

from django_tpq.conf import settings

__all__ = ["RESTRICTED", "Codec", "JsonCodec", "PickleCodec", "codec", "usual"]

_WRITER = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_READER = json.JSONDecoder()
"""Kept: to make one takes as long as to use it (docs/decisions/0033)."""
RESTRICTED = "restricted"
"""The value of TPQ_CODEC that lets nothing but JSON be written or read."""


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
    """JSON values only: nothing that is read can run code. Tuples arrive as lists."""

    name = "json"

    def dumps(self, value: Any) -> bytes:
        return _WRITER.encode(value).encode()

    def loads(self, raw: bytes) -> Any:
        return _READER.decode(raw.decode())

    def keeps_exceptions(self) -> bool:
        return False


CODECS: dict[str, Codec] = {"pickle": PickleCodec(), "json": JsonCodec()}


def codec(name: str) -> Codec:
    """The codec of a name.

    Raises:
        ValueError: there is none, or TPQ_CODEC refuses it.
    """
    if name not in CODECS:
        raise ValueError(f"there is no codec {name!r}; there are {', '.join(sorted(CODECS))}")
    if name != "json" and settings.CODEC == RESTRICTED:
        raise ValueError(
            f"{name} is refused: TPQ_CODEC is {RESTRICTED!r}, so nothing but JSON is written or read"
        )
    return CODECS[name]


def usual() -> Codec:
    """The codec that TPQ_CODEC names."""
    return codec("json" if settings.CODEC == RESTRICTED else settings.CODEC)
