"""Limits how much of the gateway one box may use at once, so that the others always get their share."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from core.domain.errors import TooMuch
from core.observability import metrics
from core.protocol.gateway_api import OVERLOADED

STARTS = 100  # of CLIs, at once; each reads Store and vault, whose quotas all boxes share; and
STARTS_PER_S = 2.0  # so many more every second
CALLS = 16  # of the model; four CLIs with their side questions need half of them
LARGE_CALLS = 2
LARGE_BYTES = 4 * 1024 * 1024  # hours of conversation are smaller; larger bodies have pictures
WAITING = 64
PATIENCE_S = 20.0  # a refused CLI retries by itself


class BoxLimits:
    """The slots of one box. A call that finds none waits up to `patience_s`, with at most WAITING others."""

    def __init__(self, *, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._calls, self._large = asyncio.Semaphore(CALLS), asyncio.Semaphore(LARGE_CALLS)
        self._batches = asyncio.Semaphore(1)
        self._waiting = 0
        self._starts, self._at = float(STARTS), time.monotonic()

    def count_start(self) -> None:
        """Count a call that asks Store or vault, which all boxes share. Raises: TooMuch: they come too fast."""
        at = time.monotonic()
        self._starts, self._at = min(STARTS, self._starts + (at - self._at) * STARTS_PER_S), at
        if self._starts < 1:
            raise TooMuch("this box starts too much in a short time")
        self._starts -= 1

    @asynccontextmanager
    async def model_call_slot(self, length_bytes: int | None) -> AsyncIterator[None]:
        """Hold a slot for a model call, from before its body is read until its answer has ended.

        Raises: TooMuch: none became free.
        """
        async with self._slot(self._calls, OVERLOADED):
            if length_bytes is not None and length_bytes <= LARGE_BYTES:
                yield
                return
            async with self._slot(self._large, OVERLOADED):
                yield

    @asynccontextmanager
    async def batch_slot(self) -> AsyncIterator[None]:
        """Hold the one slot for a batch of events: the order of a box's batches is the order of its log.

        Raises: TooMuch: it did not become free.
        """
        async with self._slot(self._batches, TooMuch.code):
            yield

    @asynccontextmanager
    async def _slot(self, places: asyncio.Semaphore, code: str) -> AsyncIterator[None]:
        if self._waiting >= WAITING:
            raise TooMuch("too many calls of this box wait already", code=code)
        self._waiting += 1
        try:
            async with asyncio.timeout(self._patience_s):
                with metrics.queue_depth.labels(
                    "events" if places is self._batches else "model_calls"
                ).track_inprogress():
                    await places.acquire()
        except TimeoutError as error:
            raise TooMuch("this box has too many calls under way", code=code) from error
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            places.release()
