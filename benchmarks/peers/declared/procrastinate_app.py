"""The app of procrastinate and its tasks."""

import json
import os

from procrastinate import App, PsycopgConnector

from benchmarks.peers.peer import Place, note

place = Place(*json.loads(os.environ["BENCH_PLACE"]))
app = App(connector=PsycopgConnector(conninfo=place.dsn))


@app.task(name="nothing")
def nothing(number: int) -> None:
    """Note the start; the worker runs it in a thread."""
    note(number)


@app.task(name="nothing_async")
async def nothing_async(number: int) -> None:
    """As `nothing`, in the event loop of the worker."""
    note(number)
