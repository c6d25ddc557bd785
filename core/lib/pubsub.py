"""Publish and subscribe: each subscription has a bounded queue, and one that lags is told so."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Lagging(Exception):
    """The subscription's queue was full and it has missed a message: its owner has to read the whole state again."""


class Subscription(Generic[T]):
    """An endless asynchronous iterator of published messages. It raises Lagging once it has missed one."""

    def __init__(self, size: int) -> None:
        self._queue: asyncio.Queue[T] = asyncio.Queue(size)
        self._lagging = False

    def offer(self, word: T) -> None:
        try:
            self._queue.put_nowait(word)
        except asyncio.QueueFull:
            self._lagging = True

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._lagging and self._queue.empty():
            self._lagging = False
            raise Lagging
        return await self._queue.get()


class Hub(Generic[T]):
    """The topics of one kind of message. A topic exists while it has subscriptions; publishing to another costs
    nothing.
    """

    def __init__(self, *, size: int = 500) -> None:
        self._size = size
        self._topics: defaultdict[str, set[Subscription[T]]] = defaultdict(set)

    @contextmanager
    def listen(self, topic: str) -> Iterator[Subscription[T]]:
        """Receive everything published to `topic` until the context is left."""
        listener: Subscription[T] = Subscription(self._size)
        self._topics[topic].add(listener)
        try:
            yield listener
        finally:
            self._topics[topic].discard(listener)
            if not self._topics[topic]:
                del self._topics[topic]

    def publish(self, topic: str, word: T) -> None:
        """Deliver a message to all subscriptions of a topic; never waits."""
        for listener in tuple(self._topics.get(topic, ())):
            listener.offer(word)
