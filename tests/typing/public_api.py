"""The public names as a type checker sees them. Checked, not run."""

from typing import assert_type

from django_tpq.futures import Future, TaskFunction
from django_tpq.futures.decorators import task


@task
def double(number: int) -> int:
    return 2 * number


@task(queue="mail", priority=3)
def greet(name: str, *, loudly: bool = False) -> str:
    return name


async def checked() -> None:
    assert_type(double(2), int)
    assert_type(double.delay(2), Future[int])
    assert_type(double.delay(number=2).result(wait=0), int)
    assert_type(greet.using(delay=3).delay("Ada", loudly=True), Future[str])
    assert_type(greet.delay_many([("Ada",)]), list[Future[str]])
    assert_type(await double.delay(2), int)
    assert_type(double.delay(2).exception(wait=1), BaseException | None)
    double.delay("2")  # type: ignore[arg-type]
    greet.delay()  # type: ignore[call-arg]


def takes(function: TaskFunction[[int], int]) -> None:
    function.delay(1)


takes(double)
