"""The kit as one object: what the fixture `tpq` gives, and `self.tpq` of a TestCase."""

from django_tpq.testing.accidents import simulate_crash, simulate_timeout
from django_tpq.testing.assertions import assert_enqueued, assert_not_enqueued
from django_tpq.testing.clock import clock
from django_tpq.testing.inline import inline
from django_tpq.testing.pending import run_pending
from django_tpq.testing.waiting import enqueued

__all__ = ["Kit", "TaskTestMixin"]


class Kit:
    """The functions of `django_tpq.testing` as methods."""

    run_pending = staticmethod(run_pending)
    enqueued = staticmethod(enqueued)
    assert_enqueued = staticmethod(assert_enqueued)
    assert_not_enqueued = staticmethod(assert_not_enqueued)
    inline = staticmethod(inline)
    clock = staticmethod(clock)
    simulate_crash = staticmethod(simulate_crash)
    simulate_timeout = staticmethod(simulate_timeout)


class TaskTestMixin:
    """For a TestCase: the kit as `self.tpq`."""

    tpq = Kit()
