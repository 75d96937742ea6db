"""A call as bytes in a row, a result as bytes in a store, and the text that names a future. Pure.

payload: signature (32 bytes), codec, NUL, (args, kwargs) by the codec
record:  signature (32 bytes), kind (S or F), codec, NUL, value by the codec
id:      queue:number:token
"""

import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable
from typing import Any, NamedTuple

from django_tpq.futures.codecs import Codec, codec
from django_tpq.futures.signing import SIZE, is_signed, sign, signer

__all__ = [
    "BadSignature",
    "CallId",
    "Claimed",
    "Failed",
    "Key",
    "new_token",
    "new_tokens",
    "pack",
    "packer",
    "read",
    "unpack",
    "write",
]

LONGEST_NAME = 40
"""Bytes of a codec's name at most, with a result's kind before it."""
LAST = 2**63 - 1
"""The highest number of a row."""
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
ID = re.compile(r"([a-z0-9_-]{1,24}):([0-9a-z]{1,13}):([A-Za-z0-9_-]{22})")


class BadSignature(ValueError):
    """The bytes were not signed by us for this place; nothing of them was read."""


class CallId(NamedTuple):
    """What names a call: its queue, its row's number, its token. Under 64 characters as text."""

    queue: str
    number: int
    token: str

    def __str__(self) -> str:
        return f"{self.queue}:{_base36(self.number)}:{self.token}"

    @classmethod
    def parse(cls, text: str) -> "CallId":
        """Read the text; raises ValueError when it is no call's."""
        found = ID.fullmatch(text)
        if not found or int(found[2], 36) > LAST:
            raise ValueError(f"{text[:80]!r} is not the id of a call")
        return cls(found[1], int(found[2], 36), found[3])


Key = tuple[str, int, int]
"""A claim of a call: its queue, its row's number, the claim's."""


class Claimed(NamedTuple):
    """A claimed call's row."""

    id: int
    claim_no: int
    attempt: int
    max_attempts: int
    deliveries: int
    max_deliveries: int
    task: str
    token: str
    payload: bytes
    headers: dict[str, Any] | None
    """What was said of this call alone: `result_ttl`, in seconds."""
    queue: str
    """The name of its queue (no column: it is added when the row is read)."""

    @property
    def call(self) -> CallId:
        """What names it."""
        return CallId(self.queue, self.id, self.token)

    @property
    def key(self) -> "Key":
        """What names this claim of it."""
        return self.queue, self.id, self.claim_no


class Failed(NamedTuple):
    """What is written of a failure."""

    type: str
    message: str
    traceback: str
    exception: Any
    """The exception pickled, or None when it can not be."""
    lost: bool = False
    """Whether the executor was lost."""


COLUMNS = Claimed._fields[:-1]
"""The columns of a claimed call."""


def new_token() -> str:
    """132 random bits as 22 characters."""
    return new_tokens(1)[0]


def new_tokens(count: int) -> list[str]:
    """Many tokens from one draw: 33 bytes are 44 characters of base64, two tokens without padding."""
    drawn = urlsafe_b64encode(os.urandom(33 * ((count + 1) // 2))).decode()
    return [drawn[22 * i : 22 * i + 22] for i in range(count)]


def pack(queue: str, token: str, task: str, how: Codec, arguments: Any) -> bytes:
    """Write and sign a call's arguments, `(args, kwargs)`."""
    return packer(queue, task, how)(token, arguments)


def packer(queue: str, task: str, how: Codec) -> Callable[[str, Any], bytes]:
    """As `pack`, for many calls of one task."""
    sign_text, name, dumps = signer(), how.name.encode() + b"\0", how.dumps
    head, tail = b"call\0" + queue.encode() + b"\0", b"\0" + task.encode() + b"\0" + name

    def pack(token: str, arguments: Any) -> bytes:
        raw = dumps(arguments)
        return sign_text(head + token.encode() + tail + raw) + name + raw

    return pack


def unpack(queue: str, token: str, task: str, payload: bytes) -> tuple[Codec, Any]:
    """Check and read a call's arguments.

    Raises:
        BadSignature: it was changed, or signed with another key; nothing was read.
    """
    signature, signed = _split(payload)
    if not is_signed(signature, b"call", queue.encode(), token.encode(), task.encode(), signed):
        raise BadSignature(
            "the payload's signature is wrong: it was changed, or signed with another SECRET_KEY"
        )
    name, _, raw = signed.partition(b"\0")
    how = codec(name.decode())
    return how, how.loads(raw)


def write(token: str, how: Codec, kind: str, value: Any) -> bytes:
    """Write and sign a result; kind: S for a value, F for what failed."""
    raw = how.dumps(value)
    head = kind.encode() + how.name.encode()
    return b"".join((sign(b"result", token.encode(), head, raw), head, b"\0", raw))


def read(token: str, record: bytes) -> Any:
    """Check and read a result: a value, or a `Failed`.

    Raises:
        BadSignature: it was changed, or is another call's; nothing was read.
    """
    signature, signed = _split(record)
    if not is_signed(signature, b"result", token.encode(), signed):
        raise BadSignature(
            "the result's signature is wrong: it was changed, or signed with another SECRET_KEY"
        )
    head, _, raw = signed.partition(b"\0")
    value = codec(head[1:].decode()).loads(raw)
    return Failed(*value) if head[:1] == b"F" else value


def _split(raw: Any) -> tuple[bytes, bytes]:
    """The signature, and what it is said to sign: a name, NUL, and what is read once that was found true."""
    if not isinstance(raw, (bytes, memoryview)):
        raise BadSignature(f"a {type(raw).__name__} is where signed bytes should be")
    signature, signed = bytes(raw[:SIZE]), bytes(raw[SIZE:])
    if signed.find(b"\0", 0, LONGEST_NAME + 1) < 0:
        raise BadSignature("the bytes are damaged: they have no signature")
    return signature, signed


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits or "0"
