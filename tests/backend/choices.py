"""Tasks of Django's with options of ours, made by our decorator: it takes them on every Django."""

import asyncio
import os
import threading
import time
from datetime import UTC, datetime, timedelta

from django.contrib.auth.models import User
from django.db import connection, transaction

from django_tpq.backend import task
from django_tpq.futures import Reject, Retry, Snooze, current_call


@task
async def where():
    return [threading.current_thread().name, os.getpid()]


@task(executor="thread")
async def in_a_thread():
    await asyncio.sleep(0)
    return threading.current_thread().name


@task(executor="process")
def apart(number):
    return [number, os.getpid()]


@task(takes_context=True)
async def look(context, word):
    await asyncio.sleep(0.01)
    return [word, context.attempt, context.task_result.id, str(context.task_result.status)]


@task
async def gather(number):
    await asyncio.sleep(1)
    return number


@task
async def fail(text):
    raise ValueError(text)


@task(timeout=0.3)
def linger():
    for _ in range(600):
        time.sleep(0.05)


@task(timeout=timedelta(seconds=0.3))
async def linger_async():
    await asyncio.sleep(30)


@task(timeout=1, executor="process")
def linger_apart():
    time.sleep(60)


@task
async def wait_for_ever():
    await asyncio.sleep(300)


@task(max_deliveries=1)
def hang():
    time.sleep(300)


@task(expires=datetime(2020, 1, 1, tzinfo=UTC))
def too_late():
    return "never"


@task(atomic=True, max_attempts=1)
def create(name, then=""):
    User.objects.create(username=name)
    if then:
        raise ValueError(then)
    return transaction.get_connection().in_atomic_block


@task(atomic=True)
async def create_async(name):
    return threading.current_thread().name


@task(atomic=True)
def spoil():
    with connection.cursor() as cursor:
        cursor.execute("SELECT nothing FROM nowhere")


@task(unique="account:{account}")
def index(account, note=""):
    return account


@task(unique="args", unique_for=3600)
def digest(account):
    return account


@task(unique="args", on_duplicate="error")
def report(account):
    return account


@task(unique="args", on_duplicate="replace", takes_context=True)
def remind(context, account):
    return account


@task(max_attempts=5, backoff=0, retry_on=OSError, give_up_on=FileNotFoundError)
def fetch(kind):
    raise {"os": OSError, "file": FileNotFoundError, "value": ValueError, "reject": Reject}[kind](kind)


@task(max_attempts=2, backoff=0)
def again():
    try:
        raise OSError("not yet")
    except OSError as error:
        raise Retry(in_=0) from error


@task
def snooze():
    return "awake" if current_call().claim_no > 1 else Snooze(0)


@task
def not_a_number():
    return float("nan")
