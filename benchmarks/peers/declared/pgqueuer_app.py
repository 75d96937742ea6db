"""The worker of pgqueuer, for `pgq run`."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.models import Job

from benchmarks.peers.peer import Place, note

place = Place(*json.loads(os.environ["BENCH_PLACE"]))


@asynccontextmanager
async def one_connection() -> AsyncIterator[PgQueuer]:
    """The worker of the quick start."""
    yield _declared(PgQueuer.from_asyncpg_connection(await asyncpg.connect(place.url)))


@asynccontextmanager
async def pool() -> AsyncIterator[PgQueuer]:
    """The worker for many jobs: no statement has to wait for another."""
    yield _declared(PgQueuer.from_asyncpg_pool(await asyncpg.create_pool(place.url, min_size=2, max_size=5)))


def _declared(app: PgQueuer) -> PgQueuer:
    @app.entrypoint("nothing")
    async def nothing(job: Job) -> None:
        """Note the start."""
        note(int(job.payload or b""))

    return app
