"""Tasks of Django's with options of ours as a type checker sees them. Checked, not run."""

from typing import Any, assert_type

from django.tasks import TaskContext

from django_tpq.backend import PostgreSQLTask, task
from django_tpq.futures import Snooze


@task
def double(number: int) -> int:
    return 2 * number


@task(max_attempts=3, queue_name="mails", unique="{address}")
async def mail(address: str, *, loudly: bool = False) -> bytes | Snooze:
    return address.encode()


@task(takes_context=True, timeout=3)
def told(context: "TaskContext[Any, Any]", number: int) -> int:
    return number + context.attempt


def checked() -> None:
    kept: PostgreSQLTask[[int], int] = double
    kept.enqueue(3)
    assert_type(double.enqueue(2).return_value, int)
    assert_type(mail.enqueue("ada", loudly=True).return_value, bytes)
    assert_type(told.enqueue(3).return_value, int)
    double.enqueue("2")  # type: ignore[arg-type]
    mail.enqueue()  # type: ignore[call-arg]
    told.enqueue()  # type: ignore[call-arg]
    double.enqueue_on_commit(2)
    double.enqueue_on_commit(number="2")  # type: ignore[arg-type]
    task(max_attempt=3)  # type: ignore[call-overload]
