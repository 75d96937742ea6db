"""`python -m chaos.fuzz SECONDS`: inputs that grow with the code they reach (atheris), for what reads bytes of others.

The fuzz tests of the suite try inputs of known shapes; here a fuzzer finds its own way, also behind the signature: half
of the inputs are signed as if by somebody who has the key.
"""

import sys
from typing import Any

import atheris
from django.conf import settings

settings.configure(SECRET_KEY="only for faults", TPQ_CODEC="json", INSTALLED_APPS=[], USE_TZ=True)

with atheris.instrument_imports(include=["tpq", "django_tpq"]):
    import django

    django.setup()
    from django_tpq.futures import task
    from django_tpq.futures.calls import BadSignature, CallId, Claimed, read, unpack
    from django_tpq.futures.outcomes import Failure, Postponed, Refused, Success
    from django_tpq.futures.runner import Runner
    from django_tpq.futures.signing import sign
    from tpq.message import decode, encode

TOKEN = "A" * 22
OUTCOMES = (Success, Failure, Postponed, Refused)


@task(name="fuzzed", result_ttl=60)
def fuzzed(*args: Any, **kwargs: Any) -> Any:
    """A task that gives back what it got."""
    return [args, kwargs]


def _payload(raw: bytes) -> None:
    """Anything in a row's payload, or anything that was signed, ends as an outcome."""
    signed = b"json\0" + raw
    right = sign(b"call", b"default", TOKEN.encode(), b"fuzzed", signed) + signed
    for payload in (raw, right):
        row = Claimed(1, 1, 0, 1, 0, 3, "fuzzed", TOKEN, payload, None, "default")
        assert isinstance(Runner().run(row), OUTCOMES)


def _record(raw: bytes) -> None:
    """A result is refused, or read as JSON if it was signed."""
    _refused(lambda: read(TOKEN, raw), BadSignature)
    head, _, rest = raw.partition(b"\0")
    signed = sign(b"result", TOKEN.encode(), head, rest) + head + b"\0" + rest
    _refused(lambda: read(TOKEN, signed), ValueError, TypeError, RecursionError)


def _unsigned(raw: bytes) -> None:
    _refused(lambda: unpack("default", TOKEN, "fuzzed", raw), BadSignature)


def _id(raw: bytes) -> None:
    """A text is refused, or is the id of a call that is written in one way."""
    text = raw.decode("utf-8", "surrogateescape")
    call = _refused(lambda: CallId.parse(text), ValueError)
    assert call is None or CallId.parse(str(call)) == call


def _body(raw: bytes) -> None:
    """What is read as JSON is written and read alike."""
    body = _refused(lambda: decode(raw.decode()), ValueError, RecursionError)
    text = _refused(lambda: encode(body), ValueError)
    assert text is None or decode(text) == body


def _refused(read_it: Any, *errors: type[Exception]) -> Any:
    try:
        return read_it()
    except errors:
        return None


TARGETS = (_payload, _record, _unsigned, _id, _body)


def one(raw: bytes) -> None:
    """One input: its first byte says where it goes."""
    if raw:
        TARGETS[raw[0] % len(TARGETS)](raw[1:])


if __name__ == "__main__":
    seconds = sys.argv[1] if len(sys.argv) > 1 else "60"
    atheris.Setup([sys.argv[0], f"-max_total_time={seconds}", "-max_len=512", "-rss_limit_mb=4096"], one)
    atheris.Fuzz()
