"""What a trial leaves in the database. Needs Django, set up with the project."""

import time

from django.db import connection

from chaos.checker import Effect, Left
from chaos.project import models
from django_tpq.futures.calls import unpack
from django_tpq.futures.models import CallQueue, Result, Tally, Task
from django_tpq.main.models import BaseQueue, Consumer

__all__ = ["clear", "counted", "effects", "left", "wait_until_quiet"]

QUEUES: tuple[type[BaseQueue], ...] = (
    CallQueue,
    models.Taken,
    models.Received,
    models.Leased,
    models.Ordered,
)


def clear() -> None:
    """Empty everything."""
    tables = (*QUEUES, models.Effect, Result, Tally, Consumer)
    names = ", ".join(table._meta.db_table for table in tables)
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {names} RESTART IDENTITY")


def wait_until_quiet(limit: float) -> bool:
    """Wait until nothing is ready, waiting or claimed; whether that came to pass within so many seconds."""
    connection.close()  # it may be one to a server that was killed since
    deadline = time.monotonic() + limit
    while any(queue.objects.exclude(state="dead").exists() for queue in QUEUES):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def effects() -> list[Effect]:
    """What transactions have left, in the order in which it was done."""
    return [Effect(*row) for row in models.Effect.objects.order_by("id").values_list("queue", "number")]


def left() -> Left:
    """What is in the queues."""
    claimed = sum(queue.objects.filter(state="claimed").count() for queue in QUEUES)
    unfinished = sum(queue.objects.filter(state__in=["ready", "waiting"]).count() for queue in QUEUES)
    dead = CallQueue.objects.filter(state="dead").values_list("token", "task", "payload")
    numbers = frozenset(_number(*row) for row in dead)
    strangers = {message.body for queue in QUEUES[1:] for message in queue.objects.filter(state="dead")}
    return Left(claimed, unfinished, numbers | strangers)


def _number(token: str, task: str, payload: bytes) -> int:
    _, (arguments, _) = unpack("default", token, task, bytes(payload))
    return int(arguments[0])


def counted() -> int:
    """How many calls the statistics have counted."""
    return sum(Task.objects.values_list("total", flat=True))
