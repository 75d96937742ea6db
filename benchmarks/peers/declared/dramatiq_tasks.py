"""The tasks of Dramatiq."""

import json
import os

import dramatiq
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

from benchmarks.peers.peer import Place, note

redis = Place(*json.loads(os.environ["BENCH_PLACE"])).redis
broker = RedisBroker(url=redis)
broker.add_middleware(Results(backend=RedisBackend(url=redis)))
dramatiq.set_broker(broker)


@dramatiq.actor
def nothing(number: int) -> None:
    """Note the start."""
    note(number)


@dramatiq.actor(store_results=True)
def answer(number: int) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
