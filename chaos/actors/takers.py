"""Those who take messages: in transactions, which leave an effect behind or are rolled back, and on leases."""

import random
import time
import uuid
from typing import Any

from django.db import transaction

from chaos.actors.life import ledger, live
from chaos.actors.names import END
from chaos.ledger import Kind
from chaos.project import models
from django_tpq.main.errors import LeaseLost, QueueEmpty

__all__ = ["lease", "order", "receive", "take"]

LEASE = 2.0
"""Seconds."""


class Undone(Exception):
    """Raised to roll a transaction back."""


def take() -> None:
    """`dequeue` and `dequeue_many`; one of ten is rolled back."""

    def turn() -> None:
        try:
            with transaction.atomic():
                for number in models.Taken.objects.dequeue_many(random.randint(1, 5), wait=1):
                    models.Effect.objects.create(queue="taken", number=number)
                if random.random() < 0.1:
                    raise Undone
        except (QueueEmpty, Undone):
            pass

    live(turn, word=END)


def receive() -> None:
    """`receive` in a transaction; one of ten is rolled back."""

    def turn() -> None:
        try:
            with models.Received.objects.receive(wait=1) as message:
                models.Effect.objects.create(queue="received", number=message.body)
                if random.random() < 0.1:
                    raise Undone
        except (QueueEmpty, Undone):
            pass

    live(turn, word=END)


def order() -> None:
    """`dequeue` from the ordered queue."""

    def turn() -> None:
        try:
            with transaction.atomic():
                number = models.Ordered.objects.dequeue(wait=1)
                models.Effect.objects.create(queue="ordered", number=number)
        except QueueEmpty:
            pass

    live(turn, word=END)


def lease() -> None:
    """`receive` on a lease; one of fifty takes longer than that, and is refused."""

    def turn() -> None:
        try:
            with models.Leased.objects.receive(wait=1, lease=LEASE) as message:
                work(message)
        except QueueEmpty:
            pass

    def work(message: Any) -> None:
        name = uuid.uuid4().hex
        ledger.note(Kind.STARTED, message.body, name)
        time.sleep(LEASE + 1 if random.random() < 0.02 else random.uniform(0, 0.05))
        ledger.note(Kind.ENDED, message.body, name)
        try:
            message.ack()
        except LeaseLost:
            ledger.note(Kind.REFUSED, message.body, name)

    live(turn, word=END)
