"""The async twins of a queue's verbs. All but the waiting is the verb itself, in a thread."""

import contextlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import sync_to_async
from django.db import models

from django_tpq.main import awaiting
from django_tpq.main.connections import listener
from django_tpq.main.durations import Duration, positive
from django_tpq.main.errors import QueueEmpty
from tpq.message import State

__all__ = ["AsyncVerbs"]

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")


class AsyncVerbs(models.Manager[M]):
    """What `QueueManager` adds for event loops."""

    if TYPE_CHECKING:  # the verbs, and what they stand on
        enqueue: Callable[..., int | None]
        enqueue_many: Callable[..., list[int]]
        dequeue_many: Callable[..., list[Any]]
        peek: Callable[..., list[M]]
        clear: Callable[..., int]
        requeue: Callable[..., set[int]]
        discard: Callable[..., set[int]]
        table: Callable[[], Any]

        @property
        def db_for_queue(self) -> str: ...

        _leased: Callable[..., M]
        _ask: Callable[[], bool | None]
        _empty: Callable[[], QueueEmpty]

    async def aenqueue(self, body: Any, **options: Any) -> int | None:
        """As `enqueue`."""
        return await sync_to_async(self.enqueue)(body, **options)

    async def aenqueue_many(self, bodies: Iterable[Any], **options: Any) -> list[int]:
        """As `enqueue_many`."""
        return await sync_to_async(self.enqueue_many)(bodies, **options)

    async def adequeue(self, wait: float = -1, **columns: Any) -> Any:
        """As `dequeue`; waiting blocks no thread.

        A cancellation that comes while a message is being taken does not lose it: the message is returned, and the
        cancellation comes with the next call.
        """
        return (await self.adequeue_many(1, wait, **columns))[0]

    async def adequeue_many(self, n: int, wait: float = -1, **columns: Any) -> list[Any]:
        """As `dequeue_many`; waiting and cancellation as in `adequeue`."""
        return await self._await_for(wait, lambda: self.dequeue_many(n, **columns))

    @contextlib.asynccontextmanager
    async def areceive(self, wait: float = -1, *, lease: Duration, **columns: Any) -> AsyncIterator[M]:
        """As `receive` with a lease. Without one there is no twin: coroutines share a connection, and others
        would run inside the transaction."""

        def take() -> list[M]:
            return [self._leased(-1, positive(lease), columns)]

        message = (await self._await_for(wait, take))[0]
        try:
            yield message
        except BaseException as error:
            await sync_to_async(message._give_back)(error)  # type: ignore[attr-defined]
            raise
        if not message.is_settled:  # type: ignore[attr-defined]
            await sync_to_async(message.ack)()  # type: ignore[attr-defined]

    async def apeek(self, n: int = 1, **columns: Any) -> list[M]:
        """As `peek`."""
        return await sync_to_async(self.peek)(n, **columns)

    async def acount(self, state: State | str | None = None, **columns: Any) -> int:
        """As `count`."""
        return await sync_to_async(self.count)(state, **columns)  # type: ignore[call-arg]

    async def aclear(self, **columns: Any) -> int:
        """As `clear`."""
        return await sync_to_async(self.clear)(**columns)

    async def arequeue(self, ids: Sequence[int], delay: Duration | None = None) -> set[int]:
        """As `requeue`."""
        return await sync_to_async(self.requeue)(ids, delay)

    async def adiscard(self, ids: Sequence[int]) -> set[int]:
        """As `discard`."""
        return await sync_to_async(self.discard)(ids)

    async def _await_for(self, wait: float, take: Callable[[], list[T]]) -> list[T]:
        channel = await sync_to_async(lambda: self.table().channel())() if wait >= 0 else ""
        polls = awaiting.polls(wait, listener(self.db_for_queue), channel, sync_to_async(self._ask))
        async with contextlib.aclosing(polls):
            async for _ in polls:
                with contextlib.suppress(QueueEmpty):
                    return await awaiting.whole(sync_to_async(take)())
        raise self._empty()
