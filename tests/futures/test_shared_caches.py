"""A call there and back by a real executor, its result by each of the caches that both can see."""

import asyncio
import json

import pytest
from asgiref.sync import async_to_sync
from django.core.cache import caches

from django_tpq.futures import Future
from django_tpq.futures.models import Result
from tests.fixtures.caches import CACHES
from tests.testapp import tasks


@pytest.mark.parametrize("kind", CACHES)
def test_results_and_errors_come_back_by_a_shared_cache(executor, use_cache, kind):
    entry = use_cache(kind)
    executor("-t", "4", TPQ_TEST_CACHE=json.dumps(entry))
    assert tasks.add.delay(1, 2).result(wait=30) == 3
    with pytest.raises(tasks.Trouble, match="boo") as caught:
        tasks.fail.delay("boo").result(wait=30)
    assert "raise Trouble(text, code)" in caught.value.__notes__[0]
    futures = tasks.add.delay_many([(i, 1) for i in range(500)])

    async def wait_for_all():
        return await asyncio.gather(*futures)

    assert async_to_sync(wait_for_all)() == [i + 1 for i in range(500)]
    assert [Future.get(future.id).result() for future in futures[:3]] == [1, 2, 3]
    assert not Result.objects.exists()
    caches.close_all()
