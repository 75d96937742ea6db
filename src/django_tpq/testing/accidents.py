"""Accidents that a test can not wait for: an executor dies under a call, a call takes too long."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NoReturn
from unittest import mock

from django_tpq.futures.calls import Claimed
from django_tpq.futures.errors import CallTimeout
from django_tpq.futures.here import Run, interferences
from django_tpq.futures.outcomes import Outcome
from django_tpq.futures.registry import find, finder
from django_tpq.testing.databases import task_name

__all__ = ["simulate_crash", "simulate_timeout"]


class _Accident:
    """Happens to the next runs of a task."""

    def __init__(self, task: str, times: int, happen: Callable[[Claimed, Run], Outcome | None]) -> None:
        self.task, self.left, self.times = task, times, times
        self._happen = happen

    def __call__(self, call: Claimed, run: Run) -> Outcome | None:
        if call.task != self.task or not self.left:
            return run(call)
        self.left -= 1
        return self._happen(call, run)


def simulate_crash(task: Any, times: int = 1) -> contextlib.AbstractContextManager[None]:
    """Let executors die under the next runs of a task, as by SIGKILL, for a block.

    The function does not run. The call has lost a delivery: it is delivered again, at most `max_deliveries` times (3);
    then it is a dead letter, and its future raises `ExecutorLost`. It happens to runs by `run_pending()` and inline.

    Args:
        task: the task, or its name.
        times: how many runs are lost.

    Raises:
        AssertionError: at the end of the block: there were not so many runs.
    """
    return _accidents(task, times, lambda call, run: None, "be lost")


def simulate_timeout(task: Any, times: int = 1) -> contextlib.AbstractContextManager[None]:
    """Let the next runs of a task take too long, for a block: they raise `CallTimeout` where the function would run.

    What follows is real: an attempt is counted, and there is another one if the task has it. As `simulate_crash`.
    """
    return _accidents(task, times, _time_out, "time out")


@contextlib.contextmanager
def _accidents(
    task: Any, times: int, happen: Callable[[Claimed, Run], Outcome | None], verb: str
) -> Iterator[None]:
    if isinstance(times, bool) or not isinstance(times, int) or times < 1:
        raise ValueError(f"times must be a whole number from 1, not {times!r}")
    accident = _Accident(task_name(task), times, happen)
    reset = interferences.set((*interferences.get(), accident))
    try:
        yield
    finally:
        interferences.reset(reset)
    if accident.left:
        raise AssertionError(
            f"{times} runs of {accident.task} were to {verb}, but there were {times - accident.left} of them here, by "
            "run_pending() or inline"
        )


def _time_out(call: Claimed, run: Run) -> Outcome | None:
    finds = finder(call.headers) or find
    task = finds(call.task)
    usual = type(task).__call__

    def late(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return _late(call.task) if self is task else usual(self, *args, **kwargs)

    with mock.patch.object(type(task), "__call__", late):
        return run(call)


def _late(task: str) -> NoReturn:
    raise CallTimeout(f"task {task}: it took longer than it may (simulated)")
