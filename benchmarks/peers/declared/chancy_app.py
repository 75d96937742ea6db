"""The app of chancy in both configurations, its queues and its jobs."""

import json
import logging
import os

from chancy import Chancy, Queue, QueuedJob, job
from chancy.plugins.leadership import Leadership
from chancy.plugins.pruner import Pruner
from chancy.plugins.recovery import Recovery

from benchmarks.peers.peer import Place, note

place = Place(*json.loads(os.environ["BENCH_PLACE"]))
queues = {
    "default": Queue("default"),
    "best": Queue("default", executor=Chancy.Executor.Async, concurrency=1000, eager_polling=True),
}


def made(config: str) -> Chancy:
    """The app; the best one has no plugins for metrics and workflows, and logs no line for each job."""
    if config == "default":
        return Chancy(place.dsn)
    plugins = [Leadership(), Pruner(), Recovery()]
    return Chancy(place.dsn, plugins=plugins, no_default_plugins=True, log=logging.getLogger("bench"))


@job()
def nothing(*, number: int) -> None:
    """Note the start."""
    note(number)


@job()
def answer(*, number: int, context: QueuedJob) -> None:
    """As `nothing`, with a result in the job's `meta`."""
    note(number)
    context.meta["answer"] = number


@job()
async def nothing_async(*, number: int) -> None:
    """As `nothing`, in the event loop of the worker."""
    note(number)


@job()
async def answer_async(*, number: int, context: QueuedJob) -> None:
    """As `answer`, in the event loop of the worker."""
    note(number)
    context.meta["answer"] = number
