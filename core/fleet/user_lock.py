"""A lock per user for changes of the user's box: an asyncio lock in this process, a lease in the Store for others."""

import asyncio
import logging
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from core.domain.errors import RunnerUnavailable, StoreUnavailable
from core.domain.records import UserId
from core.store import Store

log = logging.getLogger("oma.turns")

LEASE_S: Final = 10.0  # how long others wait for a web that died while it held the lock
RENEW_S: Final = 3.0
RETRY_S: Final = 0.2


class UserLock:
    """The lock of every user's box. Runners are started, stopped, adopted and discarded only inside `hold(user)`."""

    def __init__(self, store: Store) -> None:
        self._store, self._holder = store, secrets.token_hex(8)
        self._locks: dict[UserId, asyncio.Lock] = {}

    @asynccontextmanager
    async def hold(self, user: UserId) -> AsyncIterator[None]:
        """Hold the user's lock. Raises: StoreUnavailable. RunnerUnavailable: the account was deleted meanwhile."""
        async with (lock := self._locks.setdefault(user, asyncio.Lock())):
            if self._locks.get(user) is not lock:
                raise RunnerUnavailable("the account was deleted meanwhile")
            name = f"box/{user}"
            while not await self._store.claim(name, holder=self._holder, lease_s=LEASE_S):  # noqa: ASYNC110  # nobody tells
                await asyncio.sleep(RETRY_S)  # another process has it
            renewing = asyncio.create_task(self._renew(name), name=name)
            try:
                yield
            finally:
                renewing.cancel()
                await asyncio.gather(renewing, return_exceptions=True)
                await self._release(name)

    def forget(self, user: UserId) -> None:
        """Forget a deleted user: those who wait for the lock get RunnerUnavailable."""
        self._locks.pop(user, None)

    async def _renew(self, name: str) -> None:
        while True:
            await asyncio.sleep(RENEW_S)
            try:
                if not await self._store.claim(name, holder=self._holder, lease_s=LEASE_S):
                    log.warning("%s: this process was suspended, and another one holds the lock now", name)
            except StoreUnavailable as error:
                log.warning("%s: %s", name, error)

    async def _release(self, name: str) -> None:
        try:
            await self._store.release(name, holder=self._holder)
        except StoreUnavailable as error:
            log.warning("%s runs out by itself: %s", name, error)
