"""What every place for results has to do: one contract, run by each of them."""

import threading
from datetime import timedelta

import pytest
from django.core.cache import caches
from django.db import connection, connections

from django_tpq.futures.calls import new_token
from django_tpq.futures.results import CacheResults, DatabaseResults, store
from tests.fixtures.caches import CACHES
from tpq.results import Result

HOUR = timedelta(hours=1)
EVERY_BYTE = bytes(range(256))

pytestmark = pytest.mark.django_db(transaction=True)


class Place:
    """A store, on the connection of the thread that calls."""

    def __init__(self, store):
        self.store = store

    def put(self, *results):
        self.store.put(results, connection.cursor)

    def get(self, *tokens):
        return self.store.get(tokens, connection.cursor)

    def forget(self, *tokens):
        self.store.forget(tokens, connection.cursor)

    def purge(self):
        return self.store.purge(connection.cursor, 1000)


@pytest.fixture(params=["postgresql", *CACHES])
def place(request, use_cache):
    if request.param != "postgresql":
        use_cache(request.param)
    expected = DatabaseResults if request.param == "postgresql" else CacheResults
    assert type(store()) is expected
    return Place(store())


def result(record=EVERY_BYTE, ttl=HOUR):
    return Result(new_token(), record, ttl)


@pytest.mark.parametrize(
    "record", [EVERY_BYTE, b"x", b"1", b"\0" * 500_000], ids=["all", "x", "digit", "long"]
)
def test_a_record_comes_back_byte_by_byte(place, record):
    kept = result(record)
    place.put(kept)
    assert place.get(kept.token) == {kept.token: record}


def test_what_is_not_there_is_not_in_the_answer(place):
    kept = result()
    place.put(kept)
    assert place.get(new_token(), kept.token, new_token()) == {kept.token: EVERY_BYTE}


def test_nothing_asked_is_nothing_answered(place):
    assert place.get() == {}


def test_reading_destroys_nothing(place):
    kept = result()
    place.put(kept)
    assert place.get(kept.token) == place.get(kept.token) != {}


def test_a_later_result_of_the_same_call_takes_the_place(place):
    first = result(b"first")
    place.put(first)
    place.put(first._replace(record=b"second"))
    assert place.get(first.token) == {first.token: b"second"}


def test_a_result_is_gone_after_its_time_and_the_others_of_its_batch_are_not(place, eventually):
    short, long = result(ttl=timedelta(seconds=1)), result()
    place.put(short, long)

    def only_the_long_one_is_left():
        assert place.get(short.token, long.token) == {long.token: EVERY_BYTE}

    eventually(only_the_long_one_is_left)


def test_what_is_forgotten_is_gone_and_nothing_else(place):
    first, second, other = result(), result(), result()
    place.put(first, second, other)
    place.forget(first.token, second.token, new_token())
    assert place.get(first.token, second.token, other.token) == {other.token: EVERY_BYTE}


def test_nothing_is_forgotten_where_nothing_is_named(place):
    kept = result()
    place.put(kept)
    place.forget()
    assert place.get(kept.token) == {kept.token: EVERY_BYTE}


def test_purging_leaves_what_is_still_good(place):
    kept = result()
    place.put(kept)
    place.purge()
    assert place.get(kept.token)


def test_a_thousand_results_go_in_and_out_at_once(place):
    results = [result(str(i).encode()) for i in range(1000)]
    place.put(*results)
    assert place.get(*(r.token for r in results)) == {r.token: r.record for r in results}


def test_eight_threads_put_and_read_at_once(place):
    seen = []

    def work():
        for _ in range(10):
            mine = [result(), result()]
            place.put(*mine)
            seen.append(place.get(*(r.token for r in mine)) == {r.token: r.record for r in mine})
        connections.close_all()
        caches.close_all()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 80
