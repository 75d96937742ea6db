"""The async twins: each does as its verb, and what waits holds no thread."""

import asyncio
import contextlib
import threading
from datetime import timedelta

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from django.utils.timezone import now

from django_tpq.main.errors import LeaseLost, QueueEmpty
from tests.testapp.models import PlainQueue, TenantQueue

pytestmark = pytest.mark.django_db(transaction=True)
queue = PlainQueue.objects


def run(coroutine):
    """Run a coroutine function as a view does, and end it if it hangs."""

    async def limited():
        return await asyncio.wait_for(coroutine(), 30)

    return async_to_sync(limited)()


def test_each_twin_does_as_its_verb():
    async def use():
        first = await queue.aenqueue(1, priority=2)
        ids = await queue.aenqueue_many([2, 3], delay=timedelta(hours=1))
        assert ids == sorted(ids)
        assert ids[0] > first
        assert (await queue.acount(), await queue.acount("waiting")) == (1, 2)
        assert [message.pk for message in await queue.apeek(3)] == [first]
        assert await queue.adequeue() == 1
        assert await queue.aclear() == 2
        await queue.aenqueue_many([4, 5, 6])
        assert await queue.adequeue_many(2) == [4, 5]
        async with queue.areceive(lease=60) as message:
            await message.abury("bad")
        assert await queue.arequeue([message.pk, first]) == {message.pk}
        assert await queue.adequeue() == 6

    run(use)


def test_columns_of_ones_own_go_through_the_twins():
    async def use():
        tenants = TenantQueue.objects
        await tenants.aenqueue(1, tenant="ada")
        await tenants.aenqueue_many([2, 3], tenant="bob")
        assert (await tenants.acount(tenant="bob"), len(await tenants.apeek(9, tenant="ada"))) == (2, 1)
        assert await tenants.adequeue(tenant="bob") == 2
        async with tenants.areceive(lease=60, tenant="bob") as message:
            assert (message.tenant, message.body) == ("bob", 3)
        assert await tenants.aclear(tenant="ada") == 1

    run(use)


@pytest.mark.parametrize("wait", [-1, 0.05])
def test_an_empty_queue_is_empty(wait):
    for take in (lambda: queue.adequeue(wait), lambda: queue.adequeue_many(3, wait)):
        with pytest.raises(QueueEmpty):
            run(take)


def test_areceive_acks_a_block_that_says_nothing():
    async def use():
        async with queue.areceive(lease=60) as message:
            return message.body

    queue.enqueue("work")
    assert (run(use), PlainQueue.objects.all().count()) == ("work", 0)


def test_areceive_gives_the_message_of_a_block_that_raises_back():
    async def use():
        async with queue.areceive(lease=60):
            raise LookupError("no")

    number = queue.enqueue("work")
    with pytest.raises(LookupError, match="no"):
        run(use)
    (back,) = queue.peek()
    assert (back.pk, back.state, back.attempt, back.error) == (number, "ready", 1, "LookupError: no")


def test_areceive_gives_the_message_of_a_cancelled_block_back():
    async def use():
        inside = asyncio.Event()

        async def consume():
            async with queue.areceive(lease=60):
                inside.set()
                await asyncio.Event().wait()

        consumer = asyncio.create_task(consume())
        await inside.wait()
        consumer.cancel()
        await asyncio.wait([consumer])
        return consumer.cancelled()

    queue.enqueue("work")
    assert (run(use), queue.dequeue()) == (True, "work")


def test_each_verb_of_a_lease_has_its_twin():
    async def use(verb, *arguments):
        await queue.aenqueue(verb)
        async with queue.areceive(lease=60) as message:
            assert await getattr(message, verb)(*arguments) is None
            if verb == "aextend":
                return
        with pytest.raises(TypeError, match="settled already"):
            await message.aack()

    async def use_all():
        await use("aack")
        await use("abury", "bad")
        await use("aretry", 60, "later")
        await use("arelease")
        await queue.aclear()
        await use("aextend", 120)

    run(use_all)
    assert sorted(PlainQueue.objects.values_list("body", "state")) == [("abury", "dead")]


def test_areceive_says_that_a_lease_was_lost():
    async def use():
        async with queue.areceive(lease=60) as late:
            await PlainQueue.objects.filter(pk=late.pk).aupdate(due_at=now() - timedelta(hours=1))
            async with queue.areceive(lease=60) as message:
                assert message.pk == late.pk

    queue.enqueue("slow")
    with pytest.raises(LeaseLost):
        run(use)


# Waiting --------------------------------------------------------------------------------------------------


@pytest.fixture
def only_the_bell(monkeypatch):
    """Nobody polls while the bell works."""
    monkeypatch.setattr("tpq.waiting.POLL_BEHIND_BELL", 3600.0)


@pytest.mark.usefixtures("only_the_bell")
def test_a_waiter_is_woken_by_another_thread(in_background, somebody_listens):
    def produce():
        somebody_listens()
        queue.enqueue("came")

    done = in_background(produce)
    assert run(lambda: queue.adequeue(wait=0)) == "came"
    done()


@pytest.mark.usefixtures("only_the_bell")
def test_a_waiter_is_woken_by_another_process(elsewhere, in_background, somebody_listens):
    producer = elsewhere("input(); PlainQueue.objects.enqueue('came')")

    def produce():
        somebody_listens()
        producer.communicate("now\n")

    done = in_background(produce)
    assert run(lambda: queue.adequeue(wait=0)) == "came"
    done()


def test_a_waiter_whose_table_nobody_has_used_yet_can_wait(monkeypatch):
    monkeypatch.setattr("django_tpq.main.tables._installed", set())
    with pytest.raises(QueueEmpty):
        run(lambda: queue.adequeue(wait=0.05))


@pytest.mark.usefixtures("only_the_bell")
def test_many_waiters_in_one_loop_get_one_message_each():
    async def use():
        waiters = [asyncio.create_task(queue.adequeue(wait=0)) for _ in range(50)]
        await sync_to_async(queue.enqueue_many)(range(50))
        return await asyncio.gather(*waiters)

    assert sorted(run(use)) == list(range(50))


def test_waiters_hold_no_thread():
    async def use():
        before = threading.active_count()
        waiters = [asyncio.create_task(queue.adequeue(wait=0)) for _ in range(30)]
        assert await queue.acount() == 0  # the thread that looks is free for others
        await asyncio.wait(waiters, timeout=0.2)
        more = threading.active_count() - before
        await queue.aenqueue_many(range(30))
        await asyncio.gather(*waiters)
        return more

    assert run(use) <= 2  # the listener's, and the one in which Django looks


def test_waiting_works_by_polling(settings):
    settings.TPQ_LISTEN = None

    async def use():
        waiter = asyncio.create_task(queue.adequeue(wait=20))
        await asyncio.sleep(0)
        await queue.aenqueue("came")
        return await waiter

    assert run(use) == "came"


def test_a_cancelled_waiter_leaves_the_bell(eventually):
    async def use():
        waiter = asyncio.create_task(queue.adequeue(wait=0))
        await asyncio.wait([waiter], timeout=0.1)
        waiter.cancel()
        await asyncio.wait([waiter])
        return waiter.cancelled()

    assert run(use)
    eventually(not_listening)


def not_listening():
    assert "tpq-listener" not in {thread.name for thread in threading.enumerate()}


def test_a_cancelled_waiter_loses_no_message():
    async def consume(bodies):
        while True:
            bodies.append(await queue.adequeue(wait=0))

    async def use():
        bodies = []
        for body in range(60):
            consumer = asyncio.create_task(consume(bodies))
            await queue.aenqueue(body)
            for _ in range(body % 12):  # at another moment each time
                await asyncio.sleep(0.0005)
            consumer.cancel()
            await asyncio.wait([consumer])
            assert consumer.cancelled()
        return bodies

    taken = run(use)
    left = queue.dequeue_many(60) if queue.count() else []
    assert sorted(taken + left) == list(range(60))


def test_a_timeout_loses_no_message():
    async def use():
        bodies = []
        for body in range(60):
            await queue.aenqueue(body)
            with contextlib.suppress(TimeoutError):
                bodies.append(await asyncio.wait_for(queue.adequeue(wait=0), body / 10_000))
        return bodies

    taken = run(use)
    left = queue.dequeue_many(60) if queue.count() else []
    assert sorted(taken + left) == list(range(60))
