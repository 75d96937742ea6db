"""The task of Oban: a class, since `enqueue` of a decorated function wraps its arguments twice (0.7.0)."""

from oban import Job, worker

from benchmarks.peers.peer import note

__all__ = ["Nothing"]


@worker()
class Nothing:
    """Note the start."""

    async def process(self, job: Job) -> None:
        note(job.args["number"])
