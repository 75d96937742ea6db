"""The tasks of Celery."""

import json
import os

from celery import Celery

from benchmarks.peers.peer import Place, note

redis = Place(*json.loads(os.environ["BENCH_PLACE"])).redis
app = Celery("bench", broker=redis, backend=redis)


@app.task(ignore_result=True)
def nothing(number: int) -> None:
    """Note the start."""
    note(number)


@app.task
def answer(number: int) -> int:
    """As `nothing`, with a result."""
    note(number)
    return number
