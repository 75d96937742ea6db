"""Where results go by the settings, what can not work, and who says so when."""

import pytest
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command

from django_tpq.futures.results import CacheResults, DatabaseResults, store
from tests.testapp import tasks

BACKENDS = "django.core.cache.backends"
LOCMEM = {"BACKEND": f"{BACKENDS}.locmem.LocMemCache"}
DUMMY = {"BACKEND": f"{BACKENDS}.dummy.DummyCache"}
FILE = {"BACKEND": f"{BACKENDS}.filebased.FileBasedCache", "LOCATION": "/nowhere"}

private = pytest.mark.parametrize("cache", [LOCMEM, DUMMY], ids=["locmem", "dummy"])


def found(*, deploy=False):
    """The ids of our checks' messages."""
    messages = run_checks(include_deployment_checks=deploy)
    return [message.id for message in messages if message.id.startswith(("tpq", "tpq_futures"))]


def message(identity, *, deploy=False):
    (one,) = [m.msg for m in run_checks(include_deployment_checks=deploy) if m.id == identity]
    return one


@private
def test_results_go_to_postgresql_where_others_can_not_see_the_default_cache(settings, cache):
    settings.CACHES = {"default": cache}
    assert type(store()) is DatabaseResults


def test_results_go_to_the_default_cache_where_others_can_see_it(settings):
    settings.CACHES = {"default": FILE, "second": LOCMEM}
    assert type(store()) is CacheResults
    assert store().alias == "default"


def test_results_go_to_the_cache_that_was_named(settings):
    settings.CACHES = {"default": LOCMEM, "second": FILE}
    settings.TPQ_RESULT_CACHE = "second"
    assert store().alias == "second"


def test_results_go_to_the_store_that_was_named(settings):
    settings.CACHES = {"default": FILE}
    settings.TPQ_RESULT_STORE = "django_tpq.futures.results.DatabaseResults"
    assert type(store()) is DatabaseResults
    assert found(deploy=True) == []


@private
def test_the_check_warns_once_where_nothing_was_set(settings, cache):
    settings.CACHES = {"default": cache}
    assert found() == found(deploy=True) == ["tpq_futures.W001"]


@private
def test_a_private_cache_that_was_named_is_an_error_of_the_deployments_check_only(settings, cache):
    settings.CACHES = {"default": cache}
    settings.TPQ_RESULT_CACHE = "default"
    assert found() == []
    assert found(deploy=True) == ["tpq_futures.E001"]
    assert "lives in one process only" in message("tpq_futures.E001", deploy=True)


@private
@pytest.mark.django_db(transaction=True)
def test_a_private_cache_that_was_named_is_a_clear_error_of_result(settings, cache):
    settings.CACHES = {"default": cache}
    settings.TPQ_RESULT_CACHE = "default"
    future = tasks.add.delay(1, 2)
    for ask in (future.result, future.is_done, lambda: future.result(wait=0)):
        with pytest.raises(
            ImproperlyConfigured, match="TPQ_RESULT_CACHE is 'default', but that cache lives in one"
        ):
            ask()


@private
@pytest.mark.django_db
def test_a_private_cache_that_was_named_keeps_an_executor_from_starting(settings, cache):
    settings.CACHES = {"default": cache}
    settings.TPQ_RESULT_CACHE = "default"
    with pytest.raises(
        CommandError, match="TPQ_RESULT_CACHE is 'default', but that cache lives in one process"
    ):
        call_command("executor", "-f")


@private
@pytest.mark.django_db(transaction=True)
def test_migrate_is_not_blocked_by_it(settings, cache, capsys):
    settings.CACHES = {"default": cache}
    settings.TPQ_RESULT_CACHE = "default"
    call_command("migrate", skip_checks=False, verbosity=0)
    call_command("check")


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("TPQ_RESULT_CACHE", "missing", "TPQ_RESULT_CACHE is 'missing', but CACHES has no such cache"),
        ("TPQ_RESULT_STORE", "no.such.Store", "TPQ_RESULT_STORE is 'no.such.Store'"),
        ("TPQ_RESULT_STORE", "django_tpq.futures.results.CacheResults", "TPQ_RESULT_STORE is 'django_tpq"),
    ],
)
def test_a_place_that_is_not_there_is_named(settings, name, value, text):
    setattr(settings, name, value)
    with pytest.raises(ImproperlyConfigured, match=text):
        store()
    assert found(deploy=True) == ["tpq_futures.E001"]


@pytest.mark.parametrize("backend", ["filebased.FileBasedCache", "db.DatabaseCache"])
def test_a_cache_with_room_for_few_entries_is_reported(settings, backend):
    cache = {"BACKEND": f"{BACKENDS}.{backend}", "LOCATION": "/nowhere"}
    settings.CACHES = {"default": cache}
    assert found() == ["tpq_futures.W002"]
    assert "keeps 300 entries" in message("tpq_futures.W002")
    settings.CACHES = {"default": cache | {"OPTIONS": {"MAX_ENTRIES": 1000}}}
    assert found() == []


@pytest.mark.parametrize(
    ("queues", "text"),
    [
        ({"default": "nowhere.Model"}, "'nowhere.Model', but there is no such model"),
        ({"default": "no label"}, "'no label', but there is no such model"),
        ({"default": "testapp.PlainQueue"}, "testapp.PlainQueue is not derived from BaseCallQueue"),
        ({"De Fault": "tpq_futures.CallQueue"}, "queue must be 1 to 24 of a-z"),
        ({"q" * 25: "tpq_futures.CallQueue"}, "queue must be 1 to 24 of a-z"),
        (["tpq_futures.CallQueue"], "TPQ_QUEUES must be a dict"),
    ],
)
def test_a_queue_that_can_not_work_is_an_error_that_names_it(settings, queues, text):
    settings.TPQ_QUEUES = queues
    assert text in message("tpq_futures.E002")


@pytest.mark.parametrize("codec", ["xml", "", 3])
def test_a_codec_that_is_not_there_is_an_error(settings, codec):
    settings.TPQ_CODEC = codec
    assert "TPQ_CODEC" in message("tpq_futures.E003")


@pytest.mark.parametrize("ttl", [None, -1, "1h", True, 1e300, float("nan")])
def test_a_time_to_live_that_is_none_is_an_error(settings, ttl):
    settings.TPQ_RESULT_TTL = ttl
    assert "TPQ_RESULT_TTL must be seconds" in message("tpq_futures.E004")


def test_a_setting_that_does_not_exist_is_reported_with_the_one_that_was_meant(settings):
    settings.TPQ_RESULT_CASH = "default"
    (warning,) = [m for m in run_checks() if m.id == "tpq.W003"]
    assert (warning.msg, warning.hint) == (
        "There is no setting TPQ_RESULT_CASH.",
        "Did you mean TPQ_RESULT_CACHE?",
    )
