"""The public names as a type checker sees them. Checked, not run."""

from typing import assert_type

from django_tpq.futures import Cron, Every, Exponential, Future, Snooze, TaskFunction, track
from django_tpq.futures.decorators import task


@task
def double(number: int) -> int:
    return 2 * number


@task(queue="mail", priority=3)
def greet(name: str, *, loudly: bool = False) -> str:
    return name


@task(max_attempts=3, backoff=Exponential(), retry_on=OSError)
def patient(number: int) -> str | Snooze:
    return Snooze(60) if number else "done"


@task(aliases=["old.name"], secret=("password",))
def login(user: str, password: str) -> bool:
    return bool(user and password)


@task(schedule=Cron("*/5 * * * *", tz="Europe/Berlin"), queue="mail")
def nightly(number: int = 1) -> int:
    return number


@task(schedule=Every(60, args=[1]))
def each_minute(number: int) -> int:
    return number


async def checked() -> None:
    assert_type(double(2), int)
    assert_type(double.delay(2), Future[int])
    assert_type(double.delay(number=2).result(wait=0), int)
    assert_type(greet.using(delay=3).delay("Ada", loudly=True), Future[str])
    assert_type(greet.delay_many([("Ada",)]), list[Future[str]])
    assert_type(await double.delay(2), int)
    assert_type(double.delay(2).exception(wait=1), BaseException | None)
    assert_type(login.delay("Ada", password="x"), Future[bool])
    assert_type(nightly.delay(), Future[int])
    assert_type(each_minute(1), int)
    assert_type([f.result() for f in track([double.delay(2)], desc="doubles")], list[int])
    assert_type([await f async for f in track(greet.delay("Ada"), wait=3)], list[str])
    nightly.using(schedule=Every(60))  # type: ignore[call-arg]
    double.delay("2")  # type: ignore[arg-type]
    greet.delay()  # type: ignore[call-arg]
    assert_type(patient.delay(1), Future[str])
    patient.using(max_attempts="3")  # type: ignore[arg-type]
    patient.using(attempts=3)  # type: ignore[call-arg]


def takes(function: TaskFunction[[int], int]) -> None:
    function.delay(1)


takes(double)
