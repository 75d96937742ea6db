"""Signatures on what is pickled: nobody who can only write to the table or the cache gets code to run.

HMAC-SHA256 by Django's SECRET_KEY, with its fallbacks for reading. What is signed is bound to its purpose and
its call, so no signed bytes can be used in another place.
"""

import functools
import hashlib
import hmac

from django.conf import settings

__all__ = ["SIZE", "is_signed", "sign"]

SIZE = 32
"""Bytes of a signature."""


def sign(*parts: bytes) -> bytes:
    """The signature of parts, none of which but the last may hold a NUL."""
    return hmac.digest(_key(settings.SECRET_KEY), b"\0".join(parts), "sha256")


def is_signed(signature: bytes, *parts: bytes) -> bool:
    """Whether the parts were signed with our key or one of its fallbacks; each is compared in constant time."""
    text = b"\0".join(parts)
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(hmac.compare_digest(signature, hmac.digest(_key(key), text, "sha256")) for key in keys)


@functools.lru_cache(maxsize=16)
def _key(secret: str | bytes) -> bytes:
    raw = secret.encode() if isinstance(secret, str) else secret
    return hashlib.sha256(b"django_tpq.signing\0" + raw).digest()
