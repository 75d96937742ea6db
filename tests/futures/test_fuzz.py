"""Whatever stands in the database, the cache, on the command line or in a notification: at worst it is refused.

TPQ_FUZZ says how many inputs each test tries (default: 200).
"""

import os
import pickle
from unittest.mock import MagicMock

import pytest
from django.core.management import load_command_class
from django.core.management.base import CommandError
from hypothesis import example, given, settings
from hypothesis import strategies as st

from django_tpq.futures import calls
from django_tpq.futures.arrivals import Arrivals
from django_tpq.futures.calls import BadSignature, CallId, Claimed, pack, read, unpack, write
from django_tpq.futures.codecs import codec
from django_tpq.futures.outcomes import Refused
from django_tpq.futures.runner import Runner
from tests.futures.test_signing import Bomb, traces
from tpq import cli
from tpq.consumer import Consumer
from tpq.lanes import Lanes
from tpq.message import decode

TRIES = int(os.environ.get("TPQ_FUZZ", "200"))
many = settings(max_examples=TRIES, deadline=None, database=None, print_blob=True)

TOKEN = calls.new_token()
CODECS = [codec("pickle"), codec("json")]
PAYLOADS = [pack("default", TOKEN, "a.task", how, ((1, "two"), {"three": [4]})) for how in CODECS]
RECORDS = [write(TOKEN, how, kind, [1, "two"]) for how in CODECS for kind in "SF"]
EXPLOSIVE = b"pickle\0" + pickle.dumps(((Bomb(),), {}))

names = st.sampled_from(
    [b"pickle\0", b"json\0", b"Spickle\0", b"Fjson\0", b"\0", b"xml\0", b"p" * 41 + b"\0"]
)
anything = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.binary(min_size=32, max_size=32), names, st.binary(max_size=100)).map(b"".join),
    st.tuples(st.binary(min_size=32, max_size=32), st.just(EXPLOSIVE)).map(b"".join),
)


@st.composite
def spoiled(draw, originals):
    """One of these with some bytes changed, removed or put in."""
    raw = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(raw) - 1))
        match draw(st.sampled_from(["change", "cut", "insert"])):
            case "change":
                raw[place] ^= draw(st.integers(1, 255))
            case "cut":
                del raw[place : place + draw(st.integers(1, 40))]
            case "insert":
                raw[place:place] = draw(st.binary(min_size=1, max_size=40))
        if not raw:
            break
    return bytes(raw)


@many
@given(st.one_of(anything, spoiled(PAYLOADS), st.sampled_from(RECORDS)))
def test_a_payload_that_was_not_signed_for_its_call_is_refused_unread(raw):
    traces.clear()
    if raw in PAYLOADS:  # three changes may take each other back
        return
    with pytest.raises(BadSignature):
        unpack("default", TOKEN, "a.task", raw)
    assert traces == []


@many
@given(st.one_of(anything, spoiled(RECORDS), st.sampled_from(PAYLOADS)))
def test_a_result_that_was_not_signed_for_its_call_is_refused_unread(raw):
    traces.clear()
    if raw in RECORDS:
        return
    with pytest.raises(BadSignature):
        read(TOKEN, raw)
    assert traces == []


@many
@given(st.sampled_from(PAYLOADS), st.text(max_size=30), st.text(max_size=30), st.text(max_size=30))
def test_a_payload_is_good_for_no_other_queue_token_or_task(payload, queue, token, task):
    if (queue, token, task) == ("default", TOKEN, "a.task"):
        return
    for place in ((queue, TOKEN, "a.task"), ("default", token, "a.task"), ("default", TOKEN, task)):
        if place != ("default", TOKEN, "a.task"):
            with pytest.raises((BadSignature, UnicodeEncodeError)):
                unpack(*place, payload)


@many
@given(st.one_of(st.none(), st.integers(), st.text(), st.floats(), st.lists(st.integers())))
def test_what_is_no_bytes_is_refused(value):
    for read_it in (lambda: unpack("default", TOKEN, "a.task", value), lambda: read(TOKEN, value)):
        with pytest.raises(BadSignature):
            read_it()


@many
@given(anything, st.text(max_size=50), st.text(max_size=30))
def test_a_runner_makes_an_outcome_of_any_row(payload, task, token):
    row = Claimed(1, 1, 0, 1, 0, 3, "tests.testapp.tasks.echo", token, payload, None, "default")
    assert type(Runner().run(row)) is Refused
    outcome = Runner().run(row._replace(task=task))
    assert type(outcome).__name__ in ("Refused", "Postponed")


@many
@given(st.text(max_size=80))
@example("default:0:" + "a" * 22)
@example("default:" + "z" * 13 + ":" + "a" * 22)
@example("default:1:" + "a" * 22 + "\n")
def test_a_text_is_the_id_of_a_call_or_refused(text):
    try:
        call = CallId.parse(text)
    except ValueError as error:
        said = str(error)
    else:
        said = "is not the id of a call"
        assert CallId.parse(str(call)) == call
    assert "is not the id of a call" in said


@many
@given(st.from_regex(calls.ID, fullmatch=True))
def test_an_id_that_is_read_is_written_alike(text):
    try:
        call = CallId.parse(text)
    except ValueError:
        return
    assert CallId.parse(str(call)) == call


@many
@given(st.one_of(st.none(), st.text()))
def test_no_notification_disturbs_who_hears_it(payload):
    consumer = Consumer(connect=None, tables=None, handler=MagicMock(), board=MagicMock(), lanes=Lanes(1))
    consumer.rung(payload)
    Arrivals("default")._rung(payload)


@many
@given(st.one_of(st.none(), st.booleans(), st.integers(), st.recursive(st.none() | st.text(), st.lists)))
def test_a_body_that_a_driver_has_decoded_stays_as_it_is(value):
    if not isinstance(value, str):
        assert decode(value) is value


words = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=20),
    st.sampled_from(
        [
            "create",
            "produce",
            "consume",
            "count",
            "--wait",
            "--file",
            "--create",
            "--debug",
            "-1",
            "0",
            "nan",
            "inf",
            "-",
            "name",
        ]
    ),
)


@many
@given(st.lists(words, max_size=6))
def test_the_engines_command_reads_any_arguments(arguments):
    """A number to run with, or argparse's own end."""
    assert end_of(cli._parser(), arguments) in (None, 0, 2)


options = st.sampled_from(
    [
        "-f",
        "-t",
        "--threads",
        "--threads=0",
        "-t99999999",
        "--processes",
        "--grace=-1",
        "--queue",
        "--queue=x",
        "--status",
        "--stop",
        "--once",
        "--drain",
        "--max-tasks=0",
        "--pid-file",
        "--child=1,2",
        "--child=x",
        "--database",
        "nowhere",
    ]
)


@many
@given(st.lists(st.one_of(words, options), max_size=6))
def test_the_executors_command_reads_any_arguments(arguments):
    parser = load_command_class("django_tpq.futures", "executor").create_parser("manage.py", "executor")
    assert end_of(parser, arguments) in (None, 0, 2)


def end_of(parser, arguments):
    """How it ends the process; None: it does not."""
    try:
        parser.parse_args(arguments)
    except SystemExit as end:
        return end.code
    except CommandError:
        return None
    return None
