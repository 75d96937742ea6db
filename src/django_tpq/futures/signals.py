"""Signals around a call. `task_started` and `task_finished` are sent in executors, the last after its settling.

Each has `task` (the task's name) and `call` (the future's id); `task_finished` has `failed` as well. Receivers
that raise are logged and change nothing.
"""

from django.dispatch import Signal

__all__ = ["task_enqueued", "task_finished", "task_started"]

task_enqueued = Signal()
task_started = Signal()
task_finished = Signal()
