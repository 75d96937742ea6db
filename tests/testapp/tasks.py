"""Tasks of the tests' own app."""

import logging
import os
import signal
import time
from typing import Any

from django.db import connections

from django_tpq.futures import Exponential, Reject, Retry, Snooze, current_call, task
from tests.testapp import long_tasks  # noqa: F401 - executors import this module only


@task
def add(a: int, b: int) -> int:
    return a + b


@task
def nothing() -> None:
    return None


@task
def echo(*args: Any, **kwargs: Any) -> Any:
    return args, kwargs


class Trouble(Exception):
    """An error with arguments."""


@task
def fail(text: str, code: int = 1) -> None:
    raise Trouble(text, code)


class Stubborn(Exception):
    """Can be pickled, but not read back."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("stubborn")


@task
def fail_stubbornly() -> None:
    raise Stubborn(1, 2)


@task
def return_a_lambda() -> Any:
    return lambda: None


@task
def nap(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


@task
def note(path: str, text: str, seconds: float = 0) -> None:
    """Append a line to a file, then sleep."""
    with open(path, "a") as file:
        file.write(f"{text}\n")
    time.sleep(seconds)


@task
def poison(path: str) -> None:
    """Kill the process that runs it."""
    with open(path, "a") as file:
        file.write("poison\n")
    os.kill(os.getpid(), signal.SIGKILL)


@task
def whoami() -> Any:
    return current_call()


@task
async def add_async(a: int, b: int) -> int:
    return a + b


@task(queue="mail", priority=3)
def mail(to: str) -> str:
    return f"mail to {to}"


@task(result_ttl=0)
def forgotten() -> None:
    return None


@task(result_ttl=60)
def brief() -> None:
    return None


@task
def start_another() -> Any:
    return add.delay(1, 2)


@task
async def whoami_async() -> Any:
    return current_call()


@task
def repeat(text: str, times: int) -> str:
    return text * times


@task
def fail_at_length(length: int) -> None:
    raise ValueError("x" * length)


def every_second_time(error: BaseException, attempt: int) -> float | None:
    """A backoff of the project's own."""
    return None if attempt == 3 else 2.0 * attempt


@task(max_attempts=3, backoff=0)
def stumble(times: int) -> int:
    """Fail so many times, then return the attempt."""
    attempt = current_call().attempt
    if attempt <= times:
        raise Trouble("attempt", attempt)
    return attempt


@task(max_attempts=10, backoff=every_second_time)
def stumble_in_its_own_way() -> None:
    raise Trouble("again")


@task(max_attempts=3, backoff=60, retry_on=(OSError, ValueError), give_up_on=FileNotFoundError)
def stumble_over(error: Exception) -> None:
    raise error


@task(max_attempts=3, backoff=Exponential(jitter=0))
def ask_for_another(in_: float | None, cause: Exception | None = None) -> None:
    raise Retry(in_) from cause


@task(max_attempts=3)
def reject(reason: str) -> None:
    raise Reject(reason)


@task
def snooze(path: str) -> str:
    """Wait until a file is there."""
    return current_call().claim_no if os.path.exists(path) else Snooze(in_=0)


@task
def break_other() -> None:
    """Leave the transaction of another database broken."""
    with connections["other"].cursor() as cursor:
        cursor.execute("INSERT INTO kept VALUES ('of the task')")
        cursor.execute("SELECT nothing")


@task(unique="args")
def index(document: int, language: str = "en") -> str:
    return f"{document}:{language}"


@task(unique="account:{account}", on_duplicate="error")
def bill(account: int, amount: int = 0) -> int:
    return amount


@task(unique=lambda account, **_: f"of {account}", on_duplicate="replace")
def refresh(account: int, source: str = "") -> str:
    return source


@task
def moment() -> float:
    return time.time()


@task
def tag(name: str, times: int = 1) -> int:
    """Write rows into the database, the last one a second time if asked to."""
    from django.contrib.auth.models import Group

    for _ in range(times):
        group = Group.objects.create(name=name)
    return group.pk


@task
def tag_and_fail(name: str) -> None:
    """Write a row into the database, then fail."""
    from django.contrib.auth.models import Group

    Group.objects.create(name=name)
    raise Trouble(name)


@task
def after_commit(name: str) -> None:
    """Put something off until the commit, inside a transaction of its own that may be durable."""
    from django.db import transaction

    with transaction.atomic(durable=True):
        transaction.on_commit(lambda: tag.delay(name))


@task
def again_and_again() -> None:
    again_and_again.delay()


@task
def close_connection() -> None:
    from django.db import connection

    connection.close()


@task
def look() -> None:
    """Call what a test has put there."""
    look.probe()  # type: ignore[attr-defined]


@task
def interrupt() -> None:
    raise KeyboardInterrupt


@task
def slot() -> Any:
    """What its own call says that it is for."""
    return current_call().slot


@task
def note_slot(path: str) -> None:
    """Append to a file what slot the call is for, its id, and the time."""
    call = current_call()
    with open(path, "a") as file:
        file.write(f"{call.slot.isoformat()} {call.id} {time.time()}\n")


@task
def log_it(text: str) -> None:
    logging.getLogger("shop").warning(text)
