"""For the tests of projects that use tasks: run calls inside a test, see what was enqueued, move the clock.

With pytest, the fixtures `tpq`, `tpq_inline`, `tpq_clock` and `tpq_executor` give the same.
"""

from django_tpq.testing.accidents import simulate_crash, simulate_timeout
from django_tpq.testing.assertions import assert_enqueued, assert_not_enqueued
from django_tpq.testing.clock import Clock, clock
from django_tpq.testing.executors import RunningExecutor, executor
from django_tpq.testing.inline import inline
from django_tpq.testing.kit import Kit, TaskTestMixin
from django_tpq.testing.pending import Ran, run_pending
from django_tpq.testing.waiting import Enqueued, enqueued

__all__ = [
    "Clock",
    "Enqueued",
    "Kit",
    "Ran",
    "RunningExecutor",
    "TaskTestMixin",
    "assert_enqueued",
    "assert_not_enqueued",
    "clock",
    "enqueued",
    "executor",
    "inline",
    "run_pending",
    "simulate_crash",
    "simulate_timeout",
]
