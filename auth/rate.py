"""Rate limits: strangers by network, users by account; counted by the `limits` package.

The counts are this process's own. Several web processes share them
by giving `RateLimiter` another storage of that package.
"""

import time
from collections import OrderedDict
from math import ceil

from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage, Storage
from limits.aio.strategies import SlidingWindowCounterRateLimiter

from core.domain.errors import TooMuch
from core.observability import metrics

SIGN_IN = RateLimitItemPerMinute(120, namespace="sign_in")  # sign-in, by network: an office may share one
STRANGER = RateLimitItemPerMinute(600, namespace="stranger")  # all else without a login, by network
READ = RateLimitItemPerMinute(600, namespace="read")  # pages, API and sockets of one user
WRITE = RateLimitItemPerMinute(120, namespace="write")  # requests of one user that change something
UPLOADS = RateLimitItemPerMinute(1200, namespace="uploads")  # files of one user: a folder of them comes at once
MOST = 20_000  # counts remembered: about 6 MB; the oldest gives way


class SlowDown(TooMuch):
    """Too many requests; the client may retry after `wait_s` seconds."""

    code = "slow_down"

    def __init__(self, wait_s: int) -> None:
        super().__init__(f"again in {wait_s} s")
        self.wait_s = wait_s


class Counts(MemoryStorage):
    """A bounded memory storage. The package's own searches all its keys at every hit and grows under load; this one
    costs a dictionary access.
    """

    STORAGE_SCHEME = ["async+bounded-memory"]  # noqa: RUF012  # the package's registry reads it

    def __init__(self, most: int = MOST) -> None:
        super().__init__()
        self._most = most
        self._counts: OrderedDict[str, tuple[int, float]] = OrderedDict()  # key: (count, until when)

    async def get(self, key: str) -> int:
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > time.time() else 0

    async def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        count = await self.get(key)
        until = self._counts[key][1] if count else time.time() + expiry
        self._counts[key] = (count + amount, until)
        if len(self._counts) > self._most:
            self._counts.popitem(last=False)
        return count + amount

    async def decr(self, key: str, amount: int = 1) -> int:
        count, until = self._counts.get(key, (0, 0.0))
        self._counts[key] = (max(count - amount, 0), until)
        return max(count - amount, 0)

    def __len__(self) -> int:
        return len(self._counts)


class RateLimiter:
    """Counts requests against limits per minute. Call `hit` before any costly work on a request."""

    def __init__(self, storage: Storage | None = None) -> None:
        self._windows = SlidingWindowCounterRateLimiter(Counts() if storage is None else storage)

    async def hit(self, item: RateLimitItem, who: str) -> None:
        """Count a request. Raises: SlowDown: there were too many in the last minute."""
        if not await self._windows.hit(item, who):
            metrics.rate_limited.labels(item.namespace).inc()
            stats = await self._windows.get_window_stats(item, who)
            raise SlowDown(max(1, ceil(stats.reset_time - time.time())))
