"""The public names as a type checker sees them. Checked, not run."""

import concurrent.futures
from collections.abc import Iterator
from typing import assert_type

from django_tpq.futures import (
    Cron,
    Every,
    Exponential,
    Future,
    Snooze,
    TaskExecutor,
    TaskFunction,
    as_completed,
    task,
    track,
    wait,
)


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


@task
async def fetch(url: str, *, limit: int = 1) -> bytes:
    return url.encode()


@task(timeout=3)
async def polled(url: str) -> bytes | Snooze:
    return Snooze(60)


async def checked_coroutines() -> None:
    assert_type(await fetch("x"), bytes)
    assert_type(fetch.delay("x", limit=2), Future[bytes])
    assert_type(await fetch.using(priority=1).delay("x"), bytes)
    assert_type(await fetch.adelay("x"), Future[bytes])
    assert_type(fetch.delay_many([("x",)]), list[Future[bytes]])
    assert_type(await fetch.adelay_many([("x",)]), list[Future[bytes]])
    assert_type(await polled.delay("x"), bytes)
    assert_type([await f async for f in as_completed([fetch.delay("x")])], list[bytes])
    fetch.delay(1)  # type: ignore[call-overload]
    await fetch.adelay(limit=1)  # type: ignore[call-overload]


def checked_many() -> None:
    assert_type(wait([double.delay(2)]).done, set[Future[int]])
    with TaskExecutor() as pool:
        assert_type(pool.submit(double, 2), concurrent.futures.Future[int])
        assert_type(pool.submit(fetch, "x"), concurrent.futures.Future[bytes])
        assert_type(pool.map(polled, ["x"]), Iterator[bytes])
        pool.submit(double, "2")  # type: ignore[call-overload]


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
    patient.using(executor="process", on_duplicate="error")
    patient.using(executor="fiber")  # type: ignore[arg-type]
    patient.using(on_duplicate="ignore")  # type: ignore[arg-type]


def takes(function: TaskFunction[[int], int]) -> None:
    function.delay(1)


takes(double)
