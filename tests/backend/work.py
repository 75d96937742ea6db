"""Tasks of Django's."""

from importlib.util import find_spec

from django_tpq.backend import task as task_of_ours
from django_tpq.futures import current_call

if find_spec("django.tasks"):
    from django.tasks import default_task_backend, task
else:
    from django_tasks import default_task_backend, task

BACKEND = default_task_backend


@task
def add(a, b):
    return a + b


@task
async def add_async(a, b):
    return a + b


@task
def echo(*args, **kwargs):
    return [args, kwargs]


@task
def fail(text):
    raise ValueError(text)


@task
def leave():
    raise SystemExit(3)


@task
def interrupt():
    raise KeyboardInterrupt


@task(takes_context=True)
def look(context, word):
    result = context.task_result
    return [
        word,
        context.attempt,
        result.id,
        str(result.status),
        result.worker_ids == [str(int(result.worker_ids[0]))],
    ]


@task
def odd():
    return object()


@task(priority=7, queue_name="mail")
def mail(to):
    return f"to {to}"


@task_of_ours(max_attempts=3, backoff=0)
def stumble():
    attempt = current_call().attempt
    if attempt == 1:
        raise ValueError("once")
    return attempt


def login(context, user, password):
    return user


def no_task():
    return "never"
