"""How arguments and results become bytes. A payload names its codec."""

import json
import pickle
from typing import Any, Protocol

__all__ = ["Codec", "JsonCodec", "PickleCodec", "codec"]


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
        return json.dumps(value, allow_nan=False, separators=(",", ":")).encode()

    def loads(self, raw: bytes) -> Any:
        return json.loads(raw)

    def keeps_exceptions(self) -> bool:
        return False


CODECS: dict[str, Codec] = {"pickle": PickleCodec(), "json": JsonCodec()}


def codec(name: str) -> Codec:
    """The codec of a name.

    Raises:
        ValueError: there is none.
    """
    try:
        return CODECS[name]
    except KeyError:
        raise ValueError(f"there is no codec {name!r}; there are {', '.join(sorted(CODECS))}") from None
