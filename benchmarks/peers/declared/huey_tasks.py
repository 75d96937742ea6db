"""The tasks of huey, on the storage that the place has."""

import json
import os

from huey import Huey, PostgresHuey, RedisHuey

from benchmarks.peers.peer import Place, note


def _made() -> Huey:
    place = Place(*json.loads(os.environ["BENCH_PLACE"]))
    if not place.redis:
        return PostgresHuey("bench", dsn=place.dsn)
    is_best = os.environ["BENCH_CONFIG"] == "best"
    return RedisHuey("bench", url=place.redis, notify_result=is_best)


huey = _made()


@huey.task()
def nothing(number: int) -> None:
    """Note the start."""
    note(number)


@huey.task()
def answer(number: int) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
