"""Results on their way to a cache: after the call's row, before the bell, whatever the cache does."""

import pytest
from django.core.cache import caches

from django_tpq.futures import ResultExpired
from django_tpq.futures.calls import new_token
from django_tpq.futures.models import CallQueue
from tests.futures.conftest import ByHand
from tests.testapp import tasks

AWAY = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1"}


@pytest.fixture
def hand(use_cache, by_hand):
    """By hand, with results in files."""
    use_cache("file cache")
    hand = ByHand(by_hand.connection)
    yield hand
    hand.postman.close(10)


def test_a_result_is_put_into_the_cache_after_its_call_was_settled(hand):
    future = tasks.add.delay(1, 2)
    hand.work()
    assert not CallQueue.objects.exists()
    assert future.result(wait=20) == 3
    assert caches["default"].get(f"tpq:{future._call.token}") is not None


def test_what_waits_is_delivered_at_the_end(hand):
    futures = tasks.add.delay_many([(i, i) for i in range(300)])
    hand.work()
    hand.postman.close(20)
    assert [future.result() for future in futures] == [2 * i for i in range(300)]


def test_a_late_result_never_reaches_the_cache(hand):
    future = tasks.add.delay(1, 2)
    (late,) = hand.run(*hand.claim())
    hand.tables["default"].release([late.receipt])
    hand.settle(late)
    hand.postman.close(10)
    assert caches["default"].get(f"tpq:{future._call.token}") is None


def test_no_result_is_put_into_the_cache_for_a_task_that_wants_none(hand, impatient):
    future = tasks.forgotten.delay()
    hand.work()
    hand.postman.close(10)
    assert caches["default"].get(f"tpq:{future._call.token}") is None
    with pytest.raises(ResultExpired):
        future.result(wait=30)


def test_a_failure_whose_result_got_lost_is_told_by_its_dead_letter(hand, impatient):
    future = tasks.fail.delay("boo")
    hand.work()
    hand.postman.close(10)
    caches["default"].clear()
    with pytest.raises(Exception, match=r"Trouble: \('boo', 1\)"):
        future.result(wait=30)


def test_a_cache_that_is_away_stops_no_call_and_is_told_once(by_hand, settings, caplog):
    settings.CACHES = {"default": AWAY}
    hand = ByHand(by_hand.connection)
    tasks.add.delay_many([(1, 2)] * 3)
    calls = hand.claim()
    for call in calls:
        hand.settle(*hand.run(call))
    hand.postman.close(20)
    assert not CallQueue.objects.exists()
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1
    assert told[0].startswith("1 results are lost, the cache fails: ")


def test_a_result_too_big_for_the_cache_takes_no_other_with_it(by_hand, use_cache):
    use_cache("memcached")
    hand = ByHand(by_hand.connection)
    small, big, other = (tasks.echo.delay(text) for text in ("a", "x" * 5_000_000, "b"))
    hand.work()
    hand.postman.close(20)
    assert [small.is_done(), other.is_done()] == [True, True]
    assert not big.is_done()
    caches.close_all()


def test_a_key_of_the_cache_is_fit_for_every_cache():
    assert len(f"tpq:{new_token()}") < 64
