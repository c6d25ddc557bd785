"""One voice, many listeners: a bounded queue each, and a listener that lags is told so instead of eating memory."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

T = TypeVar("T")


class Lagging(Exception):
    """This listener's queue was full: it has missed something and must look at the whole again."""


class Subscription(Generic[T]):
    """An endless asynchronous iterator; raises Lagging once it has missed something."""

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
    """Topics come and go with their listeners; saying something nobody listens to costs nothing."""

    def __init__(self, *, size: int = 500) -> None:
        self._size = size
        self._topics: defaultdict[str, set[Subscription[T]]] = defaultdict(set)

    @contextmanager
    def listen(self, topic: str) -> Iterator[Subscription[T]]:
        """Hear everything said about `topic` from this moment until the context is left."""
        listener: Subscription[T] = Subscription(self._size)
        self._topics[topic].add(listener)
        try:
            yield listener
        finally:
            self._topics[topic].discard(listener)
            if not self._topics[topic]:
                del self._topics[topic]

    def publish(self, topic: str, word: T) -> None:
        """Never waits."""
        for listener in tuple(self._topics.get(topic, ())):
            listener.offer(word)
