"""System checks of the schedules that stand in code, as far as their tasks are imported."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Warning, register  # noqa: A004 - Django's own name

from django_tpq.conf import settings
from django_tpq.futures.following import in_code
from django_tpq.futures.schedules import Cron

__all__ = ["check_cron", "check_homes"]


@register()
def check_cron(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """What reads cron expressions is an extra."""
    crons = {task.name: task.schedule for task in in_code() if isinstance(task.schedule, Cron)}
    try:
        for cron in crons.values():
            cron.require()
    except ModuleNotFoundError as error:
        tasks = ", ".join(crons)
        return [
            Warning(
                f"No executor that is installed like this follows the schedules of {tasks}.",
                hint=str(error),
                id="tpq_futures.W013",
            )
        ]
    return []


@register()
def check_homes(app_configs: "Sequence[AppConfig] | None", **_: Any) -> list[CheckMessage]:
    """The queue of a task with a schedule is one of TPQ_QUEUES."""
    known: Any = settings.QUEUES
    return [
        Warning(
            f"The task {task.name} has a schedule, but its queue {task.options.queue!r} is not in TPQ_QUEUES.",
            hint="Name the queue there, or give the task another: no executor follows it as it is.",
            id="tpq_futures.W011",
        )
        for task in in_code()
        if isinstance(known, dict) and task.options.queue not in known
    ]
