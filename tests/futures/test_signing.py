"""Nothing is unpickled that was not signed for its very place."""

import pickle

import pytest
from django.core.cache import caches

from django_tpq.futures import Future, TaskFailed
from django_tpq.futures.calls import BadSignature, new_token, pack, read, unpack, write
from django_tpq.futures.codecs import codec
from django_tpq.futures.models import CallQueue, Result
from django_tpq.futures.outcomes import Refused, Success
from tests.testapp import tasks
from tests.testapp.models import MailQueue

traces: list[str] = []
PICKLE = codec("pickle")


def leave_a_trace():
    traces.append("unpickled")


class Bomb:
    """Its unpickling leaves a trace."""

    def __reduce__(self):
        return leave_a_trace, ()


@pytest.fixture(autouse=True)
def _no_traces():
    traces.clear()
    yield
    traces.clear()


@pytest.fixture(params=["table", "cache"])
def place(request, use_cache):
    """Where results go. Ask for it before `by_hand`."""
    if request.param == "cache":
        use_cache("file cache")
    return request.param


def explosive(payload):
    """The same payload with other arguments, under the old signature."""
    return payload[:32] + b"pickle\0" + pickle.dumps(((Bomb(),), {}))


def flip(raw, place):
    return raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]


def refused(by_hand, queue="default"):
    """Run what is there: it must be refused, and settle it."""
    (ended,) = by_hand.run(*by_hand.claim(queue))
    assert type(ended.outcome) is Refused
    by_hand.settle(ended)


def test_the_trace_shows_what_is_unpickled(by_hand):
    tasks.echo.delay(Bomb())
    ((_, _, outcome),) = by_hand.run(*by_hand.claim())
    assert type(outcome) is Success
    assert traces == ["unpickled"]


@pytest.mark.parametrize(
    "change",
    [
        explosive,
        lambda payload: flip(payload, 0),
        lambda payload: flip(payload, 31),
        lambda payload: flip(payload, len(payload) - 1),
        lambda payload: payload + b"x",
        lambda payload: payload[:-1],
        lambda payload: payload[:32].replace(payload[:32], b"\0" * 32) + payload[32:],
        lambda payload: payload.replace(b"pickle\0", b"json\0", 1),
        lambda payload: payload.replace(b"pickle\0", b"", 1),
        lambda payload: b"",
        lambda payload: payload[:32],
        lambda payload: pickle.dumps(((Bomb(),), {})),
    ],
)
def test_a_changed_payload_is_refused_and_nothing_is_unpickled(by_hand, change):
    future = tasks.echo.delay(Bomb())
    row = CallQueue.objects.get()
    CallQueue.objects.update(payload=change(bytes(row.payload)))
    refused(by_hand)
    assert traces == []
    with pytest.raises(TaskFailed, match="refused"):
        future.result()
    row.refresh_from_db()
    assert row.state == "dead"
    assert row.error.startswith("refused: the ")


@pytest.mark.parametrize("columns", [{"task": "tests.testapp.tasks.nothing"}, {"token": "A" * 22}])
def test_a_payload_is_good_for_its_task_and_token_only(by_hand, columns):
    tasks.echo.delay(Bomb())
    CallQueue.objects.update(**columns)
    refused(by_hand)
    assert traces == []


def test_a_payload_is_good_for_its_queue_only(by_hand):
    future = tasks.echo.delay(Bomb())
    row = CallQueue.objects.get()
    MailQueue.objects.create(task=row.task, token=row.token, payload=bytes(row.payload))
    refused(by_hand, "mail")
    assert traces == []
    assert not CallQueue.objects.filter(state="dead").exists()
    assert future.id


def test_a_result_can_not_be_used_as_a_payload(by_hand):
    token = new_token()
    with pytest.raises(BadSignature):
        unpack("default", token, "task", write(token, PICKLE, "S", Bomb()))
    with pytest.raises(BadSignature):
        read(token, pack("default", token, "task", PICKLE, Bomb()))
    assert traces == []


def test_parts_can_not_be_shifted_between_each_other():
    token = new_token()
    payload = pack("default", token, "task", PICKLE, (("a",), {}))
    with pytest.raises(BadSignature):
        unpack(f"default{token[0]}", token[1:], "task", payload)
    with pytest.raises(BadSignature):
        unpack("default", token, "tas", payload[:32] + b"k" + payload[32:])


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record[:32] + b"Spickle\0" + pickle.dumps(Bomb()),
        lambda record: record[:32] + b"Fpickle\0" + pickle.dumps(Bomb()),
        lambda record: record.replace(b"Spickle", b"Fpickle", 1),
        lambda record: flip(record, 40),
        lambda record: record[:-1],
        lambda record: b"",
        lambda record: pickle.dumps(Bomb()),
    ],
)
def test_a_changed_result_is_refused_and_nothing_is_unpickled(place, by_hand, done, change):
    future = done(tasks.echo, 1)
    by_hand.postman.close(10)
    if place == "cache":
        key = f"tpq:{future._call.token}"
        caches["default"].set(key, change(caches["default"].get(key)))
    else:
        result = Result.objects.get()
        Result.objects.update(record=change(bytes(result.record)))
    assert future.is_done()
    for ask in (future.result, future.exception):
        with pytest.raises(BadSignature):
            ask()
    assert traces == []


@pytest.mark.parametrize("place", ["cache"], indirect=True)
def test_what_is_no_bytes_in_the_cache_is_refused(place, by_hand, done):
    future = done(tasks.echo, 1)
    by_hand.postman.close(10)
    for value in ("text", 3, [b"x"]):
        caches["default"].set(f"tpq:{future._call.token}", value)
        with pytest.raises(BadSignature):
            Future.get(future.id).result()


def test_the_result_of_another_call_is_refused(done):
    mine, other = done(tasks.add, 1, 2), done(tasks.add, 3, 4)
    records = {r.token: bytes(r.record) for r in Result.objects.all()}
    Result.objects.filter(token=mine._call.token).update(record=records[other._call.token])
    with pytest.raises(BadSignature):
        mine.result()
    assert other.result() == 7


def test_another_secret_key_reads_neither_payloads_nor_results(by_hand, done, settings):
    ready = done(tasks.add, 1, 2)
    waiting = tasks.echo.delay(Bomb())
    settings.SECRET_KEY = "another"
    with pytest.raises(BadSignature):
        Future.get(ready.id).result()
    refused(by_hand)
    assert traces == []
    with pytest.raises(TaskFailed, match="another SECRET_KEY"):
        waiting.result()


def test_a_fallback_key_still_reads_both(by_hand, done, settings):
    ready = done(tasks.add, 1, 2)
    waiting = tasks.add.delay(3, 4)
    settings.SECRET_KEY_FALLBACKS = ["a third", settings.SECRET_KEY]
    settings.SECRET_KEY = "another"
    by_hand.work()
    assert (ready.result(), waiting.result()) == (3, 7)


def test_new_signatures_are_made_with_the_key_itself(done, settings):
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "another", [settings.SECRET_KEY]
    future = done(tasks.add, 1, 2)
    settings.SECRET_KEY_FALLBACKS = []
    assert future.result() == 3


def test_a_key_may_be_bytes(done, settings):
    settings.SECRET_KEY = b"\0bytes\xff"
    assert done(tasks.add, 1, 2).result() == 3


def test_tokens_are_drawn_at_random():
    tokens = {new_token() for _ in range(1000)}
    assert len(tokens) == 1000
    assert {len(token) for token in tokens} == {22}


@pytest.mark.parametrize("name", [b"", b"p" * 41])
def test_what_names_no_codec_is_not_even_checked(name):
    with pytest.raises(BadSignature, match="damaged"):
        unpack("default", new_token(), "task", b"s" * 32 + (name and name + b"\0") + b"p")
