"""Where results are kept: a Django cache, or a table in PostgreSQL. A plug point: TPQ_RESULT_STORE.

Unset, results go to the `default` cache, as far as other processes can see it; a fresh project's can not
(locmem), and then they go to the table.
"""

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any, Protocol

from django.core.cache import InvalidCacheBackendError, caches
from django.core.cache.backends.db import DatabaseCache
from django.core.cache.backends.dummy import DummyCache
from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from django_tpq.conf import settings
from django_tpq.futures.options import TaskOptions
from tpq.results import Result, ResultTable

__all__ = ["CacheResults", "DatabaseResults", "ResultStore", "store", "ttl_of"]

Cursor = Callable[[], AbstractContextManager[Any]]

TABLE = "tpq_result"


class ResultStore(Protocol):
    """What a store has to do. One instance serves all threads."""

    transactional: bool
    """Whether `put` writes on the cursor's connection, so that a result commits with its call's ack."""

    def put(self, results: Sequence[Result], cursor: Cursor) -> None:
        """Keep results for their time to live; a later one of the same token takes the place."""

    def get(self, tokens: Sequence[str], cursor: Cursor) -> dict[str, bytes]:
        """The results that are there, by token. Reading destroys nothing."""

    def forget(self, tokens: Sequence[str], cursor: Cursor) -> None:
        """Delete the results of calls that run again."""

    def purge(self, cursor: Cursor, count: int) -> int:
        """Delete so much of what has expired, if nobody else does; how many."""


class CacheResults:
    """Results in a Django cache that all processes can see.

    Raises:
        ImproperlyConfigured: there is no such cache, or each process has its own.
    """

    transactional = False

    def __init__(self, alias: str) -> None:
        if _is_private(alias):
            raise ImproperlyConfigured(
                f"TPQ_RESULT_CACHE is {alias!r}, but that cache lives in one process only: executors' results would "
                "never arrive. Name a shared cache (Redis, memcached, database, file), or remove the setting: "
                "results then go to PostgreSQL"
            )
        self.alias = alias

    @property
    def room(self) -> int | None:
        """How many entries the cache keeps, where it is Django itself that throws others away."""
        cache = caches[self.alias]
        counts = isinstance(cache, (FileBasedCache, DatabaseCache))
        return cache._max_entries if counts else None

    def put(self, results: Sequence[Result], cursor: Cursor) -> None:
        by_ttl: dict[timedelta, dict[str, bytes]] = {}
        for result in results:
            by_ttl.setdefault(result.ttl, {})[_cache_key(result.token)] = result.record
        for ttl, values in by_ttl.items():
            if failed := caches[self.alias].set_many(values, timeout=ttl.total_seconds()):
                raise OSError(f"the cache {self.alias!r} did not take {len(failed)} results")

    def get(self, tokens: Sequence[str], cursor: Cursor) -> dict[str, bytes]:
        keys = {_cache_key(token): token for token in tokens}
        return {keys[key]: record for key, record in caches[self.alias].get_many(list(keys)).items()}

    def forget(self, tokens: Sequence[str], cursor: Cursor) -> None:
        caches[self.alias].delete_many([_cache_key(token) for token in tokens])

    def purge(self, cursor: Cursor, count: int) -> int:
        return 0


class DatabaseResults:
    """Results in the queue's own database: they commit with the ack, and nothing is lost in between."""

    transactional = True

    def put(self, results: Sequence[Result], cursor: Cursor) -> None:
        ResultTable(TABLE, cursor).put(results)

    def add(self, results: Sequence[Result], cursor: Cursor) -> None:
        """As `put`, for the door out: a batch that is refused for one that was there leaves one by one."""
        ResultTable(TABLE, cursor).add(results)

    def get(self, tokens: Sequence[str], cursor: Cursor) -> dict[str, bytes]:
        return ResultTable(TABLE, cursor).get(tokens)

    def forget(self, tokens: Sequence[str], cursor: Cursor) -> None:
        ResultTable(TABLE, cursor).forget(tokens)

    def purge(self, cursor: Cursor, count: int) -> int:
        return ResultTable(TABLE, cursor).purge(count)


def store() -> ResultStore:
    """The store of the settings.

    Raises:
        ImproperlyConfigured: the settings name one that can not work.
    """
    return _store(settings.RESULT_STORE, settings.RESULT_CACHE)


def ttl_of(options: TaskOptions) -> timedelta:
    """How long the result of a call with these options is kept."""
    ttl = options.result_ttl
    if ttl is None:
        ttl = settings.RESULT_TTL
    return ttl if isinstance(ttl, timedelta) else _seconds(ttl)


@functools.lru_cache(maxsize=256)
def _seconds(number: float) -> timedelta:
    return timedelta(seconds=number)


@functools.cache
def _store(path: str | None, alias: str | None) -> ResultStore:
    if path is not None:
        try:
            made: ResultStore = import_string(path)()
        except (ImportError, TypeError) as error:
            raise ImproperlyConfigured(f"TPQ_RESULT_STORE is {path!r}: {error}") from error
        return made
    if alias is not None:
        return CacheResults(alias)
    return DatabaseResults() if _is_private("default") else CacheResults("default")


def _is_private(alias: str) -> bool:
    try:
        return isinstance(caches[alias], (LocMemCache, DummyCache))
    except InvalidCacheBackendError as error:
        raise ImproperlyConfigured(
            f"TPQ_RESULT_CACHE is {alias!r}, but CACHES has no such cache: {error}"
        ) from error


def _cache_key(token: str) -> str:
    return f"tpq:{token}"


def _forget(*, setting: str, **_: Any) -> None:
    if setting in {"CACHES", "TPQ_RESULT_CACHE", "TPQ_RESULT_STORE"}:
        _store.cache_clear()


setting_changed.connect(_forget)
